// Reading what others may have written or named: small files, directories, paths below a directory.

import Glibc
import Linux
import Testing

@Suite struct FileTests {
    /// A directory of its own, removed at the end.
    private final class Folder {
        let path: String
        let descriptor: Descriptor

        init() throws {
            var template = Array("/tmp/backupfs-linux-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            descriptor = try Descriptor(taking: open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), from: "open")
        }

        deinit {
            for name in (try? descriptor.names()) ?? [] {
                let text = name.map { CChar(bitPattern: $0) } + [0]
                if unlinkat(descriptor.number, text, 0) != 0 { unlinkat(descriptor.number, text, AT_REMOVEDIR) }
            }
            rmdir(path)
        }

        /// Makes a file; returns its path.
        @discardableResult
        func file(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws -> String {
            let file = try Descriptor(
                taking: openat(descriptor.number, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600), from: "open")
            guard write(file.number, bytes, bytes.count) == bytes.count else { throw SystemError("write") }
            guard fchmod(file.number, mode) == 0 else { throw SystemError("fchmod") }
            return "\(path)/\(name)"
        }
    }

    @Test func readsAFileOfJustTheLongestLength() throws {
        let folder = try Folder()
        let bytes = [UInt8](repeating: 7, count: 100)
        #expect(try SmallFile.read(folder.file("a", bytes), longest: 100) == bytes)
        #expect(try SmallFile.read(folder.file("empty", []), longest: 100) == [])
    }

    @Test func renamesWithoutReplacing() throws {
        let folder = try Folder()
        let number = folder.descriptor.number
        for way in [renameExclusively, renameKeeping, renameWithoutFlags] {
            try folder.file("a", [1])
            try folder.file("b", [2])
            #expect(mkdirat(number, "d", 0o700) == 0)
            #expect(way(number, "a", number, "b") == -1 && errno == EEXIST)
            #expect(way(number, "d", number, "b") == -1 && errno == EEXIST)
            #expect(way(number, "a", number, "c") == 0 && way(number, "d", number, "e") == 0)
            #expect(way(number, "none", number, "f") == -1 && errno == ENOENT)
            #expect(try Set(folder.descriptor.names().map { String(decoding: $0, as: UTF8.self) }) == ["b", "c", "e"])
            for name in ["b", "c"] { unlinkat(number, name, 0) }
            unlinkat(number, "e", AT_REMOVEDIR)
        }
    }

    @Test func refusesALongerFile() throws {
        let folder = try Folder()
        let path = try folder.file("a", [UInt8](repeating: 7, count: 101))
        #expect(throws: SmallFile.Failure.notSmall) { try SmallFile.read(path, longest: 100) }
    }

    @Test func refusesWhatIsNoFile() throws {
        let folder = try Folder()
        #expect(mkfifo("\(folder.path)/pipe", 0o600) == 0)
        for path in [folder.path, "\(folder.path)/pipe", "/dev/zero"] {
            #expect(throws: SmallFile.Failure.notSmall) { try SmallFile.read(path, longest: 100) }
        }
        #expect(throws: SmallFile.Failure.notOpened(ENOENT)) {
            try SmallFile.read("\(folder.path)/none", longest: 100)
        }
    }

    @Test func refusesASecretThatOthersMayRead() throws {
        let folder = try Folder()
        let path = try folder.file("a", [1], mode: 0o640)
        #expect(throws: SmallFile.Failure.notPrivate) { try SmallFile.read(path, longest: 100, isPrivate: true) }
        #expect(try SmallFile.read(path, longest: 100) == [1])
    }

    @Test func readsAllOfWhatHasNoLength() throws {
        // Files of /proc say that they are empty.
        let file = try Descriptor(taking: open("/proc/self/status", O_RDONLY | O_CLOEXEC), from: "open")
        #expect(try file.readAll(limit: 1 << 20).starts(with: Array("Name:".utf8)))
        let zeros = try Descriptor(taking: open("/dev/zero", O_RDONLY | O_CLOEXEC), from: "open")
        #expect(throws: SystemError("read", EFBIG)) { try zeros.readAll(limit: 1000) }
    }

    @Test func listsEveryNameButTheDots() throws {
        let folder = try Folder()
        try folder.file("a", [])
        try folder.file("..a", [])
        let odd: [UInt8] = [0xff, 0x0a]
        #expect(mkdirat(folder.descriptor.number, odd.map { CChar(bitPattern: $0) } + [0], 0o700) == 0)
        let expected: Set<[UInt8]> = [Array("a".utf8), Array("..a".utf8), odd]
        // Twice: the directory's own offset stays.
        for _ in 0..<2 { #expect(try Set(folder.descriptor.names()) == expected) }
    }

    @Test func opensNothingOutsideTheDirectory() throws {
        let folder = try Folder()
        try folder.file("a", [1])
        #expect(symlink("a", "\(folder.path)/link") == 0)
        #expect(try folder.descriptor.openBeneath("a", O_RDONLY).readAll(limit: 10) == [1])
        #expect(throws: SystemError("open", ELOOP)) { try folder.descriptor.openBeneath("link", O_RDONLY) }
        for path in ["..", "../\(folder.path.split(separator: "/").last ?? "")/a", "/etc/passwd"] {
            #expect(throws: SystemError("open", EXDEV)) { try folder.descriptor.openBeneath(path, O_RDONLY) }
        }
    }
}
