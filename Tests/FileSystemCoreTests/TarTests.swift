// Archives as programs of other people read them.

import Foundation
import Glibc
import Linux
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Members of archives")
struct TarTests {
    private static func row(_ kind: Resource.Kind, _ change: (inout Resource) -> Void = { _ in }) -> Resource {
        var row = Resource(
            id: ResourceID(7), kind: kind, status: .created, mode: 0o4751, uid: 1000, gid: 1001, size: 0,
            accessed: 1_700_000_000_000_000_001, modified: 1_700_000_000_123_456_789, changed: 0, createdAt: 0,
            linkCount: 1, device: 0, inMain: false, inBackup: true, needsUpload: false, mainInode: 0, mainModified: 0)
        change(&row)
        return row
    }

    /// What Python reads from an archive with one member and a content of zeros, as lines.
    private static func read(_ member: TarMember, _ expression: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "tar-\(UUID())").path
        defer { unlink(path) }
        let header = member.header
        #expect(header.count % 512 == 0)
        try Data(header).write(to: URL(filePath: path))
        // The content is a hole.
        let size = (member.size + 511) / 512 * 512
        #expect(truncate(path, off_t(Int64(header.count) + size + 1024)) == 0)
        let script = """
            import sys, tarfile
            with tarfile.open(sys.argv[1]) as t:
                m, = t.getmembers()
                print(\(expression), end="", file=open(sys.argv[2], "w"))
            """
        let arguments = ["python3", "-c", script, path, path + ".said"].map { Array($0.utf8) }
        let program = try ChildProcess.start(.named("python3"), arguments)
        var status: Int32 = -1
        #expect(waitpid(program.number, &status, 0) == program.number && status == 0)
        let text = try Data(contentsOf: URL(filePath: path + ".said"))
        try FileManager.default.removeItem(atPath: path + ".said")
        return String(decoding: text, as: UTF8.self)
    }

    @Test("Numbers that ustar has no room for: 9 GiB, owners above two million, times before 1970")
    func large() throws {
        let row = Self.row(.file) {
            $0.size = 9 << 30
            $0.uid = 4_000_000_000
            $0.gid = 3_000_000
            $0.modified = -86_400_000_000_000
        }
        let member = try #require(TarMember([Array("a".utf8)], row))
        #expect(
            try Self.read(member, "m.size, m.uid, m.gid, m.mtime, oct(m.mode), m.isreg()")
                == "9663676416 4000000000 3000000 -86400.0 0o4751 True")
    }

    @Test(
        "Times have nanoseconds",
        arguments: [(1_500_000_000, "1.500000000"), (-2_000_000_000, "-2"), (5, "0.000000005"), (-1, "-0.000000001")])
    func times(nanoseconds: Int64, text: String) throws {
        let member = try #require(TarMember([Array("a".utf8)], Self.row(.file) { $0.modified = nanoseconds }))
        #expect(try Self.read(member, "m.pax_headers['mtime']") == text)
    }

    @Test("Names of any length and bytes", arguments: [1, 98, 99, 100, 101, 255, 4000])
    func names(length: Int) throws {
        for byte in [UInt8(ascii: "n"), 0xFF, UInt8(ascii: "\n")] {
            var names: [[UInt8]] = []
            for start in stride(from: 0, to: length, by: 250) {
                names.append([UInt8](repeating: byte, count: min(250, length - start)))
            }
            let path = [UInt8(ascii: ".")] + names.flatMap { [UInt8(ascii: "/")] + $0 }
            let member = try #require(TarMember(names, Self.row(.file)))
            let expected = path.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(try Self.read(member, "m.name.encode('utf-8', 'surrogateescape').hex()") == expected)
        }
    }

    @Test("Links, nodes and attributes are what they are")
    func kinds() throws {
        let long = [UInt8](repeating: 0xFE, count: 300)
        let link = try #require(TarMember([[1]], Self.row(.symlink) { $0.target = long }))
        #expect(
            try Self.read(link, "m.issym(), m.linkname.encode('utf-8', 'surrogateescape') == b'\\xfe' * 300")
                == "True True")
        let again = try #require(TarMember([[1]], Self.row(.file) { $0.size = 5 }, link: [long]))
        #expect(
            try Self.read(again, "m.islnk(), m.size, len(m.linkname.encode('utf-8', 'surrogateescape'))")
                == "True 0 302")
        let device = try #require(TarMember([[1]], Self.row(.block) { $0.device = 0xDEFA_BC12 }))
        let number = dev_t(0xDEFA_BC12)
        #expect(
            try Self.read(
                device,
                "m.isblk(), m.devmajor == __import__('os').major(\(number)), m.devminor == __import__('os').minor(\(number))"
            )
                == "True True True")
        #expect(try Self.read(try #require(TarMember([], Self.row(.directory))), "m.isdir(), m.name") == "True .")
        #expect(try Self.read(try #require(TarMember([[1]], Self.row(.fifo))), "m.isfifo()") == "True")
        #expect(TarMember([[1]], Self.row(.socket)) == nil)
        let attributes = try #require(
            TarMember([[1]], Self.row(.file), [("user.a=b%", [0x41, 0x0A, 0x42]), ("user.none", [])]))
        #expect(
            try Self.read(attributes, "sorted((k, v) for k, v in m.pax_headers.items() if 'xattr' in k)")
                == "[('SCHILY.xattr.user.a%3Db%25', 'A\\nB'), ('SCHILY.xattr.user.none', '')]")
    }
}
