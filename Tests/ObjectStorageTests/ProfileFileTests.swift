import Testing

@testable import ObjectStorage

@Suite("The files of the AWS tools")
struct ProfileFileTests {
    private static func sections(_ text: String) throws -> [String: ProfileFile.Section] {
        try ProfileFile(text, path: "FILE").sections
    }

    @Test(
        "Settings are read as the AWS CLI reads them",
        arguments: [
            ("[a]\nkey=value", "value"), ("[a]\nKEY = value ", "value"), ("[a]\r\nkey = value\r\n", "value"),
            ("\u{feff}[a]\nkey=value", "value"), ("  [a]  \n\tkey\t=\tvalue", "value"), ("[ a ]\nkey=value", "value"),
            ("[a] # comment\nkey=value", "value"), ("[a]\n# key=no\n;key=no\nkey=value # comment", "value"),
            ("[a]\nkey=value;not#a comment", "value;not#a comment"), ("[a]\nkey=a=b=c==", "a=b=c=="),
            ("[a]\nkey: value", "value"), ("[a]\nkey=http://h:1/x", "http://h:1/x"), ("[a]\nkey=", ""),
            ("[a]\nkey=one\nkey=value", "value"), ("[a]\nkey=one\n[b]\n[a]\nkey=value", "value"),
            ("[a]\n  key = value\n  other = x", "value"), ("[a]\nkey=\"value\"", "\"value\""),
            ("[a]\nkey = one\n  two", "one\ntwo"), ("[A]\nkey=no\n[a]\nkey=value", "value"),
        ])
    func settings(_ text: String, _ value: String) throws {
        #expect(try Self.sections(text)["a"]?["key"] == value)
    }

    @Test("Indented lines below an empty value are settings of their own")
    func nested() throws {
        let found = try Self.sections(
            """
            [profile a]
            s3 =
              # comment
              Addressing_Style = virtual

              endpoint_url = http://h:1  ; comment
            region = r
            """)
        #expect(
            found["profile a"] == [
                "s3": "", "s3.addressing_style": "virtual", "s3.endpoint_url": "http://h:1", "region": "r",
            ])
    }

    @Test("A command keeps what looks like a comment")
    func command() throws {
        let text = "[a]\ncredential_process = get --tag #1 ; x"
        #expect(try Self.sections(text)["a"]?["credential_process"] == "get --tag #1 ; x")
    }

    @Test(
        "What cannot be read is refused with its line's number, and never quoted",
        arguments: [
            ("key=CANARY", 1), ("[a]\nCANARY", 2), ("[a\nkey=CANARY", 1), ("[]\n", 1), ("[a]\n\n=CANARY", 3),
            ("[a] CANARY\n", 1), ("[a]\ns3 =\n  CANARY", 3),
        ])
    func malformed(_ text: String, _ line: Int) {
        #expect {
            try Self.sections(text)
        } throws: {
            "\($0)".contains("FILE") && "\($0)".contains("line \(line) ") && !"\($0)".contains("CANARY")
        }
    }

    @Test("No bytes crash the reader, and whatever it accepts, it accepts again")
    func random() {
        let alphabet = Array("[]=:#; \t\r\n\"'ab\u{e9}\u{0}")
        for seed in UInt64(1)...3000 {
            let text = String(sampleBytes(40, seed: seed).map { alphabet[Int($0) % alphabet.count] })
            guard let sections = try? Self.sections(text) else { continue }
            #expect(!sections.keys.contains(""))
            for settings in sections.values { #expect(settings.keys.allSatisfy { $0 == $0.lowercased() && $0 != "" }) }
        }
    }

    @Test("Both files count: the credentials file goes first, and a profile of the config file says that it is one")
    func profiles() throws {
        let home = try Home(
            credentials: "[default]\nregion=c\n[p]\naws_access_key_id=C\n[profile q]\nregion=no",
            config: """
                [default]
                region = plain
                output = x
                [profile p]
                region = f
                aws_access_key_id = F
                [q]
                region = no
                [profile "with space"]
                region = w
                """)
        let profiles = try Profiles(environment: home.environment)
        #expect(profiles.settings("default") == ["region": "c", "output": "x"])
        #expect(profiles.settings("p") == ["region": "f", "aws_access_key_id": "C"])
        #expect(profiles.settings("q") == nil)
        #expect(profiles.settings("with space") == ["region": "w"])
        try home.write(config: "[default]\nregion=plain\n[profile default]\nregion=prefixed")
        #expect(try Profiles(environment: home.environment).inConfig("default") == ["region": "prefixed"])
    }

    @Test("The files may be elsewhere, below the home directory or missing; a directory is none")
    func places() throws {
        let home = try Home(credentials: "[a]\nregion=r")
        var environment = home.environment
        environment["AWS_SHARED_CREDENTIALS_FILE"] = "~/.aws/credentials"
        environment["AWS_CONFIG_FILE"] = "/no/such/file"
        #expect(try Profiles(environment: environment).settings("a") == ["region": "r"])
        environment["AWS_CONFIG_FILE"] = "~"
        #expect(throws: StoreConfigurationError.self) { try Profiles(environment: environment) }
        #expect(try Profiles(environment: ["HOME": "/no/such/home"]).settings("a") == nil)
    }

    @Test(
        "A command is split into words as a shell does it",
        arguments: [
            ("a b  c", ["a", "b", "c"]), ("\"a b\" 'c d'", ["a b", "c d"]), ("a\\ b", ["a b"]), ("a'b'\"c\"", ["abc"]),
            ("'a\\b' \"c\\d\\\"e\\\\\"", ["a\\b", "c\\d\"e\\"]), ("a '' b", ["a", "", "b"]), ("", []), ("  ", []),
            ("$HOME `x` a|b", ["$HOME", "`x`", "a|b"]), ("'a", nil), ("\"a", nil), ("a\\", nil),
        ] as [(String, [String]?)])
    func words(_ command: String, _ words: [String]?) {
        #expect(CommandWords.split(command) == words)
    }
}
