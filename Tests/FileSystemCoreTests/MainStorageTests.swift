import Foundation
import Glibc
import Testing

@testable import FileSystemCore

@Suite("Main storage")
struct MainStorageTests {
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "main-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    @Test("One directory, one daemon: a second one is refused and told who holds it")
    func locked() throws {
        let main = try MainStorage(path: directory.path)
        #expect(throws: MainStorage.OpenFailure.inUse(pid: getpid())) { try MainStorage(path: directory.path) }
        withExtendedLifetime(main) {}
    }

    @Test("A missing directory is refused, never made")
    func missing() {
        let absent = directory.path + "/absent"
        #expect(throws: MainStorage.OpenFailure.missing(absent)) { try MainStorage(path: absent) }
        #expect(!FileManager.default.fileExists(atPath: absent))
    }

    @Test("I11: no path leads out of MAIN through a symbolic link or ..")
    func beneath() throws {
        let main = try MainStorage(path: directory.path)
        let outside = directory.path + "-outside"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: outside) }
        symlink(outside, directory.path + "/way-out")
        #expect(throws: FileSystemError.self) { try main.openDirectory([Array("way-out".utf8)]) }
        #expect(throws: FileSystemError.self) { try main.openDirectory([Array("..".utf8)]) }
        #expect(try main.openFile(try MainEntry(main.root, Array("way-out".utf8)), writing: false) == nil)
    }

    @Test("A staged file takes its place only if the place is free")
    func placing() throws {
        let main = try MainStorage(path: directory.path)
        let name = Array("photo.jpg".utf8)
        let existing = try main.createFile(try MainEntry(main.root, name), mode: 0o640, uid: getuid(), gid: getgid())
        #expect(try existing.status().st_mode & 0o7777 == 0o640)
        let staged = try main.stage("test")
        #expect(throws: FileSystemError.main(errno: EEXIST, during: "rename")) {
            try main.place(staged, try MainEntry(main.root, name))
        }
        #expect(try main.moveAside(try MainEntry(main.root, name), [name], 7))
        try main.place(staged, try MainEntry(main.root, name))
        #expect(FileManager.default.fileExists(atPath: directory.path + "/.backupfs/aside/7/photo.jpg"))
        #expect(try main.status(try MainEntry(main.root, name))?.st_ino != existing.status().st_ino)
    }

    @Test("Files that are staged for the same purpose are two")
    func staging() throws {
        let main = try MainStorage(path: directory.path)
        let (one, other) = (try main.stage("test"), try main.stage("test"))
        for (file, name) in [(one, "one"), (other, "other")] {
            try main.place(file, try MainEntry(main.root, Array(name.utf8)))
            var status = stat()
            #expect(lstat("\(directory.path)/\(name)", &status) == 0)
            #expect(try file.descriptor.status().st_ino == status.st_ino)
        }
        #expect(try main.createNameless("test").status().st_nlink == 0)
        #expect(try main.entries(in: main.staging).isEmpty)
    }

    @Test("A directory deeper than the kernel takes in one path can be opened")
    func deep() throws {
        let main = try MainStorage(path: directory.path)
        let name = [UInt8](repeating: UInt8(ascii: "d"), count: 255)
        var path: [[UInt8]] = []
        for _ in 0..<20 {
            let parent = try main.openDirectory(path)
            try main.makeDirectory(try MainEntry(parent, name), mode: 0o755, uid: getuid(), gid: getgid())
            path.append(name)
        }
        #expect(try main.openDirectory(path).status().st_mode & S_IFMT == S_IFDIR)
    }
}
