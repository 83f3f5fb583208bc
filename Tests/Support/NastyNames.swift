/// File names that Linux allows and programs get wrong.
package enum NastyNames {
    /// Each at most 255 bytes, not all UTF-8; no two are the same.
    package static let all: [[UInt8]] =
        texts.map { Array($0.utf8) } + [
            // Invalid UTF-8, whole and within, and a cut character.
            [0xff, 0xfe], [0x61, 0x80, 0x62, 0x2e, 0x6a, 0x70, 0x67], [0xed, 0x95], Array(repeating: 0xff, count: 255),
            // Every byte but the two that no name has.
            Array(UInt8(1)...0x2e), Array(UInt8(0x30)...0xff),
        ]

    private static let texts = [
        "a b", " leading and trailing ", " ", "a+b", "a&b", "100%", "%41", "%", "%2F", "a#b", "a?b", "a;b", "a'b",
        "a\"b", "a\\b", "\\", "~", "~~a~", "*", "[a]", "{a,b}", "a:b", "a|b", "<a>", "$(x)", "`x`", "-rf", "--", "a=b",
        "a@b", "a,b", "!", "^", ".hidden", "..a", "...", "a..", "a.", ".a.", "a...jpg", ".jpg", "jpg.",
        "a.extensionthatislong", "nul", "한국어 사진.jpg", "\u{1112}\u{1161}\u{11ab}글.jpg", "한글.jpg", "\u{e9}.jpg",
        "e\u{301}.jpg", "\u{fffd}.jpg", "😀.png", "👨‍👩‍👧‍👦.jpg", "\u{202e}gpj.exe", "\u{feff}bom", "\u{1}\u{2}", "a\nb.jpg",
        "\n", "a\tb", "a\rb", "a\r\nb: c", "\u{7f}", "\u{1b}[31mred", "IMG_1.jpg", ".IMG_1.jpg.Ab12Cd", "img_1.jpg",
        "a~0a3kq1v7x2mf.jpg", ".backupfs.jpg", ".backupfs2", "catalogue.json", "index.html", "a b.jpg?versionId=1",
        "&lt;", "<Key>", "]]>", String(repeating: "x", count: 255), String(repeating: "x", count: 251) + ".jpg",
        String(repeating: "사", count: 85), String(repeating: "%", count: 255), String(repeating: ".", count: 255),
        String(repeating: "~", count: 255), String(repeating: " ", count: 255),
    ]
}
