// Several names for one file, nodes, exchanges, holes (docs/SEMANTICS.md, Linking, Renaming, Directories and nodes, Space).

import Foundation
import Glibc
import Testing

@Suite("Links, nodes and holes")
struct LinkTests {
    @Test(
        "Link.1-3: names of one file share its content and its object, and each is recovered",
        arguments: BackupKind.available)
    func hardLinks(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try makeDirectory(sandbox.path("other"))
            let puts = try sandbox.requests("PUT").count
            try sandbox.run(["ln", sandbox.path("a.jpg"), sandbox.path("other/b.jpg")])
            try sandbox.run(["ln", sandbox.path("other/b.jpg"), sandbox.path("c.jpg")])
            #expect(try status(sandbox.path("a.jpg")).st_nlink == 3)
            #expect(try status(sandbox.path("a.jpg")).st_ino == status(sandbox.path("c.jpg")).st_ino)
            #expect(try status(sandbox.mainPath("a.jpg")).st_ino == status(sandbox.mainPath("other/b.jpg")).st_ino)
            try writeFile(sandbox.path("c.jpg"), photo(2))
            #expect(try readFile(sandbox.path("a.jpg")) == photo(2))
            #expect(try sandbox.backedUp("other/b.jpg") == photo(2))
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 1)
            if kind == .s3 {
                #expect(try sandbox.requests("PUT").count == puts + 1)
            }
            // One of them is lost in main, then all.
            try remove(sandbox.mainPath("a.jpg"))
            #expect(try readFile(sandbox.path("a.jpg")) == photo(2))
            #expect(try status(sandbox.mainPath("a.jpg")).st_nlink == 3)
            try sandbox.stop()
            for name in ["a.jpg", "other/b.jpg", "c.jpg"] { try remove(sandbox.mainPath(name)) }
            try sandbox.start()
            #expect(try readFile(sandbox.path("other/b.jpg")) == photo(2))
            #expect(try status(sandbox.mainPath("c.jpg")).st_nlink == 3)
            #expect(try status(sandbox.mainPath("c.jpg")).st_ino == status(sandbox.mainPath("a.jpg")).st_ino)
            // The object goes with the last name.
            try remove(sandbox.path("a.jpg"))
            try rename(sandbox.path("other/b.jpg"), to: sandbox.path("d.jpg"))
            #expect(try status(sandbox.path("d.jpg")).st_nlink == 2)
            try remove(sandbox.path("c.jpg"))
            try sandbox.settle()
            #expect(try readFile(sandbox.path("d.jpg")) == photo(2))
            #expect(try filesBelow(sandbox.main).filter { !$0.hasPrefix(".") } == ["d.jpg"])
            #expect(try sandbox.backup.keys().count == 1)
            try remove(sandbox.path("d.jpg"))
            try sandbox.settle()
            #expect(try sandbox.backup.keys().isEmpty)
        }
    }

    @Test("Hard links that MAIN holds at the first mount are adopted as links", arguments: BackupKind.available)
    func adoptedLinks(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, startsMounted: false) { sandbox in
            try makeDirectory(sandbox.mainPath("d"))
            try writeFile(sandbox.mainPath("d/a.jpg"), photo(1))
            try sandbox.run(["ln", sandbox.mainPath("d/a.jpg"), sandbox.mainPath("b.jpg")])
            try sandbox.run(["touch", "-d", "2001-02-03 04:05:06.789", sandbox.mainPath("d")])
            let before = try status(sandbox.mainPath("d"))
            try sandbox.start()
            try sandbox.settle()
            #expect(try status(sandbox.path("b.jpg")).st_nlink == 2)
            #expect(try status(sandbox.path("b.jpg")).st_ino == status(sandbox.path("d/a.jpg")).st_ino)
            #expect(try status(sandbox.path("d")).st_mtim.tv_sec == before.st_mtim.tv_sec)
            #expect(try status(sandbox.path("d")).st_mtim.tv_nsec == before.st_mtim.tv_nsec)
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("Rename.1-3: RENAME_EXCHANGE lets two names change places, directories too", arguments: BackupKind.available)
    func exchange(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try makeDirectory(sandbox.path("d"))
            try writeFile(sandbox.path("d/in.jpg"), photo(1))
            try writeFile(sandbox.path("f"), photo(2))
            let swap = """
                import ctypes, sys
                libc = ctypes.CDLL(None, use_errno=True)
                failed = libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)
                sys.exit(ctypes.get_errno() if failed else 0)
                """
            try sandbox.run(["python3", "-c", swap, sandbox.path("d"), sandbox.path("f")])
            #expect(try readFile(sandbox.path("d")) == photo(2))
            #expect(try readFile(sandbox.path("f/in.jpg")) == photo(1))
            #expect(try readFile(sandbox.mainPath("f/in.jpg")) == photo(1))
            // One of the two has no main copy.
            try remove(sandbox.mainPath("d"))
            try writeFile(sandbox.path("g"), photo(3))
            try sandbox.run(["python3", "-c", swap, sandbox.path("d"), sandbox.path("g")])
            #expect(try readFile(sandbox.path("d")) == photo(3))
            #expect(try readFile(sandbox.path("g")) == photo(2))
            let missing = try sandbox.outcome(["python3", "-c", swap, sandbox.path("d"), sandbox.path("nothing")])
            #expect(missing.status == ENOENT)
        }
    }

    @Test("Pipes, sockets and devices are kept, in main too", arguments: BackupKind.available)
    func nodes(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(
                """
                mkfifo -m 640 pipe; mknod -m 600 null c 1 3; mknod block b 7 99
                python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
                ln pipe pipe2; ln -s pipe l; ln -P l l2
                """)
            func line(_ directory: String) throws -> String {
                try sandbox.run([
                    "stat", "-c", "%n %F %a %t:%T %h", "--", "\(directory)/pipe", "\(directory)/pipe2",
                    "\(directory)/null", "\(directory)/block", "\(directory)/sock", "\(directory)/l2",
                ]).output.replacingOccurrences(of: directory, with: "")
            }
            let expected = """
                /pipe fifo 640 0:0 2
                /pipe2 fifo 640 0:0 2
                /null character special file 600 1:3 1
                /block block special file 644 7:63 1
                /sock socket 755 0:0 1
                /l2 symbolic link 777 0:0 2

                """
            #expect(try line(sandbox.mountPoint) == expected)
            #expect(try line(sandbox.main) == expected)
            // A pipe works as one.
            #expect(try sandbox.shell("(echo through > pipe &); cat pipe").output == "through\n")
            try sandbox.stop()
            try sandbox.start()
            #expect(try line(sandbox.mountPoint) == expected)
            try sandbox.shell("rm pipe pipe2 null block sock l l2")
            try sandbox.settle()
            #expect(try names(in: sandbox.mountPoint).isEmpty)
        }
    }

    @Test("Space: preallocation, holes and copies inside the mount", arguments: BackupKind.available)
    func space(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let content = photo(1, size: 1 << 20)
            try writeFile(sandbox.path("a"), content)
            try sandbox.run(["fallocate", "-p", "-o", "65536", "-l", "131072", sandbox.path("a")])
            var expected = content
            for index in 65_536..<196_608 { expected[index] = 0 }
            #expect(try readFile(sandbox.path("a")) == expected)
            #expect(try sandbox.backedUp("a") == expected)
            let file = try OpenFile(sandbox.path("a"), O_RDONLY)
            #expect(lseek(file.number, 0, 4) == 65_536)  // SEEK_HOLE
            #expect(lseek(file.number, 70_000, 3) == 196_608)  // SEEK_DATA
            file.abandon()
            try sandbox.run(["fallocate", "-l", "2097152", sandbox.path("a")])
            #expect(try status(sandbox.path("a")).st_size == 2_097_152)
            #expect(try status(sandbox.path("a")).st_blocks * 512 >= 1_900_000)
            // cp uses copy_file_range; without a main copy the source is fetched first.
            try remove(sandbox.mainPath("a"))
            try sandbox.run(["cp", sandbox.path("a"), sandbox.path("b")])
            #expect(try sandbox.backedUp("b") == expected + [UInt8](repeating: 0, count: 1 << 20))
        }
    }
}
