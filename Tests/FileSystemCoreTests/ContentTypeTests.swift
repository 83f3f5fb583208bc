import Foundation
import Glibc
import Testing

@testable import FileSystemCore

@Suite("What an object says of its file's type and name")
struct ContentTypeTests {
    @Test(
        "A temporary name tells the final one",
        arguments: [
            (".IMG_1.jpg.aB3dE9", "IMG_1.jpg"), ("IMG_1.jpg.ocTransferId1234567.part", "IMG_1.jpg"),
            ("IMG_1.jpg.part", "IMG_1.jpg"), ("IMG_1.jpg_exiftool_tmp", "IMG_1.jpg"),
            ("film.mp4.crdownload", "film.mp4"),
            (".syncthing.IMG_1.jpg.tmp", "IMG_1.jpg"), ("IMG_1.jpg.filepart", "IMG_1.jpg"),
            ("IMG_1.jpg.tmp", "IMG_1.jpg"),
        ])
    func temporary(_ name: String, _ final: String) {
        #expect(String(decoding: TemporaryName.final(of: Array(name.utf8)), as: UTF8.self) == final)
    }

    @Test(
        "Any other name is its own",
        arguments: [
            "IMG_1.jpg", ".bashrc", ".hidden.abcdef", "tmp", ".part", ".tmp", "a.ocTransferIdX.jpg", "x.partition", "",
        ])
    func final(_ name: String) {
        let isRsyncs = name == ".hidden.abcdef"
        let said = String(decoding: TemporaryName.final(of: Array(name.utf8)), as: UTF8.self)
        #expect(said == (isRsyncs ? "hidden" : name))
    }

    @Test(
        "Where the name says nothing the first bytes do",
        arguments: [
            ("ffd8ffe000104a46", "image/jpeg"), ("89504e470d0a1a0a0000000d", "image/png"),
            ("474946383961", "image/gif"),
            ("52494646000000005745425056503820", "image/webp"), ("52494646000000005741564566", nil),
            ("0000001c6674797068656963", "image/heic"), ("0000001c6674797061766966", "image/avif"),
            ("0000001c667479706d696631", "image/heif"), ("0000001c6674797069736f6d", "video/mp4"),
            ("000000146674797071742020", "video/quicktime"), ("ff0a", "image/jxl"),
            ("0000000c4a584c200d0a870a", "image/jxl"), ("49492a0008000000", "image/tiff"),
            ("4d4d002a00000008", "image/tiff"),
            ("49492a001000000043520200", "image/x-canon-cr2"), ("255044462d312e37", "application/pdf"),
            ("68656c6c6f", nil), ("", nil),
        ])
    func content(_ head: String, _ type: String?) {
        let digits = Array(head)
        let bytes = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(digits[$0...($0 + 1)]), radix: 16) ?? 0
        }
        #expect(ContentType.byContent(bytes[...]) == type)
    }

    @Test("The name comes first; a file of no known type is one of bytes")
    func of() throws {
        let path = FileManager.default.temporaryDirectory.path + "/type-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data([0xFF, 0xD8, 0xFF, 0xE0]).write(to: URL(fileURLWithPath: path))
        let number = open(path, O_RDONLY)
        defer { close(number) }
        #expect(ContentType.of(Array("a.png".utf8), file: number) == "image/png")
        #expect(ContentType.of(Array("A.NEF".utf8), file: number) == "image/x-nikon-nef")
        #expect(ContentType.of(Array("upload-4711".utf8), file: number) == "image/jpeg")
        #expect(ContentType.of(Array("upload.x".utf8), file: -1) == ContentType.unknown)
    }
}
