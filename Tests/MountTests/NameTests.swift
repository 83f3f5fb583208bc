// Files with any name that Linux allows, through a real mount and back.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Names")
struct NameTests {
    /// Works on files by the bytes of their names, which Swift's strings may not be able to hold.
    private static let script = """
        import hashlib, os, sys
        step, directory, mount_point, listing = sys.argv[1:]
        names = [bytes.fromhex(line) for line in open(listing).read().split()]
        os.chdir(directory)
        def content(name):
            return hashlib.sha256(name).digest() * 100
        def deepest():
            # 4,095 bytes of path in the mount and the zero at its end: the longest that one call can name.
            room = 4095 - len(os.fsencode(mount_point)) - len(b"/deepest.jpg")
            while room > 1:
                name = b"\\xed\\x95\\x9c%" + b"d" * (min(room, 256) - 5) if room > 6 else b"d"
                room -= len(name) + 1
                yield name
        if step == "write":
            for name in names:
                with open(name, "xb") as file:
                    file.write(content(name))
            for name in deepest():
                os.mkdir(name)
                os.chdir(name)
            with open(b"deepest.jpg", "xb") as file:
                file.write(content(b"deepest.jpg"))
        if step == "read":
            missing = set(names) - set(os.listdir(b"."))
            assert not missing, missing
            for name in names:
                assert open(name, "rb").read() == content(name), name
            path = os.fsencode(directory) + b"".join(b"/" + name for name in deepest()) + b"/deepest.jpg"
            assert directory != mount_point or len(path) == 4095, len(path)
            assert open(path, "rb").read() == content(b"deepest.jpg")
        if step in ("remove", "remove main copies"):
            for name in names:
                os.unlink(name)
            path = list(deepest())
            for name in path:
                os.chdir(name)
            os.unlink(b"deepest.jpg")
            if step == "remove":
                for name in reversed(path):
                    os.chdir(b"..")
                    os.rmdir(name)
                assert os.listdir(b".") == [], os.listdir(b".")
        """

    @Test("Files of any name and depth are written, recovered, and removed", arguments: BackupKind.available)
    func names(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let list = sandbox.scratch("names")
            let lines = NastyNames.all.map { $0.map { String(Int($0) + 0x100, radix: 16).dropFirst() }.joined() }
            try writeFile(list, Array(lines.joined(separator: "\n").utf8))
            func work(_ step: String, in directory: String) throws {
                try sandbox.run(["python3", "-c", Self.script, step, directory, sandbox.mountPoint, list])
            }
            try work("write", in: sandbox.mountPoint)
            #expect(try sandbox.backup.keys().count == NastyNames.all.count + 1)
            if kind == .s3 { try Self.checkMetadata(sandbox) }
            try work("remove main copies", in: sandbox.main)
            try work("read", in: sandbox.mountPoint)
            #expect(try sandbox.status().recoveries.done == NastyNames.all.count + 1)
            try work("read", in: sandbox.main)
            try work("remove", in: sandbox.mountPoint)
            try sandbox.settle()
            #expect(try sandbox.backup.keys().isEmpty)
            #expect(try sandbox.leftovers().isEmpty)
        }
    }

    /// Each object says its file's true name, unless that is too long; of rsync's temporary one it says what it will be.
    private static func checkMetadata(_ sandbox: Sandbox) throws {
        let paths = try sandbox.backup.keys().map { try sandbox.backup.headers($0)["x-amz-meta-backupfs-path"] }
        let wanted = NastyNames.all.map { $0 == Array(".IMG_1.jpg.Ab12Cd".utf8) ? "IMG_1.jpg" : encoded($0) }
        #expect(paths.compactMap(\.self).sorted() == wanted.sorted())
        #expect(paths.count { $0 == nil } == 1)
    }

    private static func encoded(_ name: [UInt8]) -> String {
        name.map { byte in
            let character = Character(Unicode.Scalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "-_.~".contains(character))
            return isPlain ? String(character) : "%" + String(Int(byte) + 0x100, radix: 16).dropFirst().uppercased()
        }.joined()
    }
}
