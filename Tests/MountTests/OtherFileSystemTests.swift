// Main directories on file systems that can less than a local disk's: what photo NAS boxes have.

import Foundation
import Glibc
import Testing

@Suite("MAIN on another file system", .enabled(if: exists("/usr/bin/bindfs"), "needs bindfs"))
struct OtherFileSystemTests {
    @Test("bindfs has no renames with flags: everything works, an exchange of names is refused, and `check` says so")
    func bindfs() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try makeDirectory(sandbox.scratch("under"))
            try sandbox.run(["bindfs", sandbox.scratch("under"), sandbox.main])
            let check = try sandbox.outcome([backupfs, "check", sandbox.main, "--backup", sandbox.backup.url])
            #expect(check.status == 0 && !check.output.contains("unmount"))
            #expect(check.output.contains("programs cannot exchange two names"), "\(check.output)")
            #expect(try filesBelow(sandbox.scratch("under")).isEmpty)
            try sandbox.start()
            for name in ["a.jpg", "b.jpg"] { try writeFile(sandbox.path(name), photo(1)) }
            try sandbox.shell("mv a.jpg c.jpg; mv -n c.jpg b.jpg; mkdir d; mv c.jpg d; ln b.jpg d/b.jpg")
            // A recovery, under both names, and a copy that is set aside.
            try sandbox.stop()
            for name in ["b.jpg", "d/b.jpg"] { try remove(sandbox.mainPath(name)) }
            try writeFile(sandbox.mainPath("d/c.jpg"), photo(9))
            try sandbox.start()
            for name in ["b.jpg", "d/b.jpg", "d/c.jpg"] {
                #expect(try readFile(sandbox.path(name)) == photo(1), "\(name)")
            }
            #expect(try readFile(sandbox.mainPath("d/b.jpg")) == photo(1))
            #expect(try sandbox.status().aside == 1)
            let exchange = try sandbox.outcome([
                "python3", "-c",
                """
                import ctypes, os, sys
                os.chdir(sys.argv[1])
                result = ctypes.CDLL(None, use_errno=True).renameat2(-100, b"b.jpg", -100, b"d/c.jpg", 2)
                print(result, ctypes.get_errno())
                """, sandbox.mountPoint,
            ])
            #expect(exchange.output == "-1 22\n")
            try sandbox.stop()
        }
    }

    @Test(
        "A directory of MAIN is another disk: files of it are recovered, set aside and brought back, and its room is its own"
    )
    func otherDisk() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try makeDirectory(sandbox.path("disk"))
            try sandbox.stop()
            let disk = sandbox.mainPath("disk")
            try check("mount of a tmpfs", Int(Glibc.mount("tmpfs", disk, "tmpfs", 0, "size=4m")))
            defer { umount2(disk, Int32(MNT_DETACH)) }
            try sandbox.start()
            for name in ["disk/a.jpg", "disk/b.jpg", "c.jpg"] { try writeFile(sandbox.path(name), photo(1)) }
            try sandbox.shell("ln disk/a.jpg disk/linked.jpg; mv c.jpg disk; mv disk/c.jpg .; truncate -s 0 disk/b.jpg")
            try writeFile(sandbox.path("disk/b.jpg"), photo(2))
            let room = try sandbox.run(["stat", "-f", "-c", "%b %S", sandbox.path("disk"), sandbox.path("c.jpg")])
                .output
            #expect(room.split(separator: "\n").first == "1024 4096" && room.split(separator: "\n").last != "1024 4096")
            #expect(failureOfWriting(sandbox.path("disk/full.jpg"), photo(3, size: 6_000_000))?.code == ENOSPC)
            try sandbox.run(["rm", sandbox.path("disk/full.jpg")])
            try sandbox.stop()
            for name in ["disk/a.jpg", "disk/linked.jpg"] { try remove(sandbox.mainPath(name)) }
            try writeFile(sandbox.mainPath("disk/b.jpg"), photo(9))
            try sandbox.start()
            for name in ["disk/a.jpg", "disk/linked.jpg"] { #expect(try readFile(sandbox.path(name)) == photo(1)) }
            #expect(try readFile(sandbox.path("disk/b.jpg")) == photo(2))
            #expect(
                try status(sandbox.mainPath("disk/a.jpg")).st_ino == status(sandbox.mainPath("disk/linked.jpg")).st_ino)
            #expect(try sandbox.status().aside == 1)
            try sandbox.run([backupfs, "aside", sandbox.mountPoint, "--restore", "1"])
            #expect(try readFile(sandbox.path("disk/b.jpg (set aside 1)")) == photo(9))
            #expect(try sandbox.backedUp("disk/a.jpg") == photo(1))
            try sandbox.stop()
        }
    }

    private func remove(_ path: String) throws { try check("unlink", Int(unlink(path))) }
}
