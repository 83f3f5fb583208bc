// What a program sees in the mount is what it sees in a native directory: each probe is a program that runs in both, and
// must print the same.

import Foundation
import Glibc
import Testing

/// A program in Python that prints what it found out; its working directory is empty.
struct Probe: Sendable, CustomTestStringConvertible {
    var name: String
    var program: String

    var testDescription: String { name }

    /// What most of them begin with.
    static let prelude = """
        import ctypes, errno, fcntl, mmap, os, stat, struct, subprocess, sys, time
        def attempt(call, *arguments, **named):
            try:
                return call(*arguments, **named)
            except OSError as error:
                return errno.errorcode[error.errno]
        def mode(path):
            return oct(os.lstat(path).st_mode)
        def write(path, content, mode=0o644):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            os.write(file, content)
            os.close(file)
        def nobody(call, groups=()):
            # In a child that is an ordinary user; prints what the call says.
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                os.setgroups(list(groups)); os.setgid(65534); os.setuid(65534)
                print(attempt(call)); sys.stdout.flush(); os._exit(0)
            os.waitpid(child, 0)

        """

    static let all: [Probe] = [
        Probe(
            name: "O_APPEND: two descriptors lose nothing, and pwrite appends",
            program: """
                write("f", b"start ")
                one, two = (os.open("f", os.O_WRONLY | os.O_APPEND) for _ in range(2))
                for n in range(20):
                    os.write(one, b"one %d " % n); os.write(two, b"two %d " % n)
                os.pwrite(one, b"end", 0)
                os.close(one); os.close(two)
                print(open("f").read())
                """),
        Probe(
            name: "O_SYNC, O_DSYNC and O_DIRECT read and write",
            program: """
                for flag in os.O_SYNC, os.O_DSYNC, os.O_DIRECT:
                    memory = mmap.mmap(-1, 8192); memory.write(bytes(range(256)) * 32)
                    file = os.open("f%d" % flag, os.O_RDWR | os.O_CREAT | flag)
                    print(os.write(file, memory), os.pwritev(file, [memoryview(memory)[:4096]], 16384))
                    back = mmap.mmap(-1, 20480)
                    print(os.preadv(file, [back], 0), back[:8192] == memory[:], back[8192:16384] == bytes(8192))
                    os.close(file)
                """),
        Probe(
            name: "flock, fcntl and OFD locks between two processes",
            program: """
                OFD_SETLK = 37
                write("f", b"0123456789")
                file = os.open("f", os.O_RDWR)
                lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 5, 0)
                other = '''if True:
                    import fcntl, os, struct, sys
                    file = os.open("f", os.O_RDWR)
                    def attempt(call, *arguments):
                        try:
                            call(*arguments); return "got"
                        except OSError as error:
                            return "refused" if error.errno == 11 else str(error)
                    here = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 3, 3, 0)
                    there = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 6, 3, 0)
                    print(attempt(fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB),
                        attempt(fcntl.fcntl, file, fcntl.F_SETLK, here), attempt(fcntl.fcntl, file, fcntl.F_SETLK, there),
                        attempt(fcntl.fcntl, file, 37, here), attempt(fcntl.fcntl, file, 37, there))
                    '''
                def ask(): print(subprocess.run([sys.executable, "-c", other], capture_output=True, text=True).stdout)
                ask()
                fcntl.flock(file, fcntl.LOCK_EX); ask(); fcntl.flock(file, fcntl.LOCK_UN)
                fcntl.fcntl(file, fcntl.F_SETLK, lock); ask()
                fcntl.fcntl(file, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_UNLCK, 0, 0, 0, 0))
                fcntl.fcntl(file, OFD_SETLK, lock); ask()
                os.close(file); ask()
                """),
        Probe(
            name: "Names of 255 bytes, paths near PATH_MAX, and beyond both",
            program: """
                name = "n" * 255
                print(attempt(os.mkdir, name), attempt(os.mkdir, name + "n"))
                for _ in range(20):
                    print(attempt(os.mkdir, name)); os.chdir(name)
                write(name, b"deep"); print(open(name).read(), os.listdir(".") == [name])
                os.rename(name, "other"); print(os.stat("other").st_size)
                os.remove("other")
                for _ in range(20):
                    os.chdir(".."); os.rmdir(name)
                parts = ["d" * 254] * 15 + ["e" * 200]
                for n in range(len(parts)): os.mkdir("/".join(parts[:n + 1]))
                rest = 4095 - len("/".join(parts)) - 1
                long = "/".join(parts) + "/" + "f" * rest
                write(long, b"long"); print(len(long), open(long).read(), attempt(os.stat, long + "f"))
                """),
        Probe(
            name: "Sparse files, and offsets beyond 4 GiB",
            program: """
                file = os.open("f", os.O_RDWR | os.O_CREAT)
                os.pwrite(file, b"far", 5 << 30); os.pwrite(file, b"near", 10)
                print(os.fstat(file).st_size, os.fstat(file).st_blocks < 1000, os.pread(file, 10, (5 << 30) - 4))
                print(os.lseek(file, 8192, os.SEEK_DATA) >= 4 << 30, os.lseek(file, 0, os.SEEK_HOLE) <= 1 << 20)
                os.ftruncate(file, 9 << 30); print(os.fstat(file).st_size, os.pread(file, 4, 8 << 30))
                # A close would back up all of it.
                os.ftruncate(file, 1 << 20); os.close(file)
                print(os.stat("f").st_size, open("f", "rb").read().strip(b"\\0"))
                """),
        Probe(
            name: "Set-id bits go with a write, a truncation, an allocation and a change of owner",
            program: """
                os.chmod(".", 0o777)
                def fresh():
                    write("f", b"content"); os.chown("f", 65534, 65534); os.chmod("f", 0o6777)
                def by(call): fresh(); nobody(call); print(mode("f"))
                by(lambda: os.write(os.open("f", os.O_WRONLY), b"x"))
                by(lambda: os.truncate("f", 2))
                by(lambda: os.close(os.open("f", os.O_WRONLY | os.O_TRUNC)))
                by(lambda: os.posix_fallocate(os.open("f", os.O_WRONLY), 0, 100))
                by(lambda: os.chown("f", 65534, 65534))
                fresh(); os.chown("f", 1, 1); print(mode("f"))
                fresh(); os.write(os.open("f", os.O_WRONLY), b"root"); print(mode("f"))
                os.mkdir("d"); os.chmod("d", 0o6775); os.chown("d", 1, 1); print(mode("d"))
                """),
        Probe(
            name: "Sticky directories, supplementary groups, and the group of a set-group-id directory",
            program: """
                os.mkdir("sticky"); os.chmod("sticky", 0o1777); write("sticky/root", b"x")
                nobody(lambda: os.remove("sticky/root")); nobody(lambda: os.rename("sticky/root", "sticky/other"))
                nobody(lambda: write("sticky/own", b"x")); nobody(lambda: os.remove("sticky/own"))
                write("g", b"for the group"); os.chown("g", 0, 4242); os.chmod("g", 0o060)
                nobody(lambda: open("g").read()); nobody(lambda: open("g").read(), [4242])
                nobody(lambda: open("g", "a").write("more"), [1, 2, 3, 4242])
                os.mkdir("s"); os.chown("s", 0, 4242); os.chmod("s", 0o2777); os.umask(0o027)
                nobody(lambda: os.mkdir("s/d", 0o777)); nobody(lambda: write("s/f", b"x", 0o666), [4242])
                for path in "s/d", "s/f": print(mode(path), os.stat(path).st_uid, os.stat(path).st_gid)
                nobody(lambda: os.chmod("s/f", 0o2755)); print(mode("s/f"))
                nobody(lambda: os.chown("s/f", 65534, 4242)); nobody(lambda: os.chown("s/f", 65534, 4242), [4242])
                """),
        Probe(
            name:
                "Times: before 1970, after 2038, nanoseconds, UTIME_NOW and UTIME_OMIT; a set time outlives the close",
            program: """
                write("f", b"x")
                for nanoseconds in -1, -(10 ** 18) - 1, 4 * 10 ** 18 + 123456789, 0:
                    os.utime("f", ns=(nanoseconds, nanoseconds)); print(os.stat("f").st_mtime_ns, os.stat("f").st_atime_ns)
                libc = ctypes.CDLL(None)
                def utimens(*pairs):
                    libc.utimensat(-100, b"f", (ctypes.c_long * 4)(*pairs), 0)
                utimens(7, 8, 0, (1 << 30) - 2); print(os.stat("f").st_mtime_ns, os.stat("f").st_atime_ns)
                utimens(0, (1 << 30) - 2, 0, (1 << 30) - 1)
                print(os.stat("f").st_atime_ns, abs(os.stat("f").st_mtime - time.time()) < 3600)
                file = os.open("f", os.O_WRONLY); os.write(file, b"more"); os.utime(file, ns=(5, 1234567890)); os.close(file)
                print(os.stat("f").st_mtime_ns)
                def changes(call):
                    os.utime("f", ns=(5, 5)); call(); print(os.stat("f").st_mtime_ns == 5)
                size = os.stat("f").st_size
                changes(lambda: os.truncate("f", size)); changes(lambda: os.truncate("f", 0))
                changes(lambda: os.truncate("f", 0))
                changes(lambda: os.close(os.open("f", os.O_WRONLY | os.O_TRUNC)))
                file = os.open("f", os.O_WRONLY); changes(lambda: os.ftruncate(file, 0)); os.close(file)
                """),
        Probe(
            name: "Removed while open: files, directories that hold them, and link counts",
            program: """
                os.mkdir("d"); write("d/f", b"content"); file = os.open("d/f", os.O_RDWR); os.link("d/f", "g")
                print(os.fstat(file).st_nlink); os.remove("d/f"); print(os.fstat(file).st_nlink)
                os.remove("g"); print(os.fstat(file).st_nlink, os.fstat(file).st_size)
                directory = os.open("d", os.O_RDONLY); print(os.rmdir("d"), os.fstat(directory).st_nlink)
                print(os.listdir(directory), attempt(os.open, "x", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
                os.write(file, b"CON"); os.ftruncate(file, 5); os.fchmod(file, 0o600); print(os.pread(file, 9, 0))
                print(oct(os.fstat(file).st_mode)); os.close(file)
                """),
        Probe(
            name: "A program can be run right after it was written; a running one is busy",
            program: """
                for n in range(5):
                    write("program", b"#!/bin/sh\\necho ran %d\\n" % n, 0o755)
                    print(subprocess.run(["./program"], capture_output=True).stdout)
                    os.remove("program")
                write("sleep", open("/bin/sleep", "rb").read(), 0o755)
                running = subprocess.Popen(["./sleep", "60"])
                print(attempt(os.open, "sleep", os.O_WRONLY)); running.kill(); running.wait()
                """),
        Probe(
            name: "Extended attributes: flags, empty and large values",
            program: """
                write("f", b"x")
                CREATE, REPLACE = os.XATTR_CREATE, os.XATTR_REPLACE
                print(attempt(os.setxattr, "f", "user.a", b"", REPLACE), attempt(os.setxattr, "f", "user.a", b"", CREATE))
                print(attempt(os.setxattr, "f", "user.a", b"1", CREATE), os.getxattr("f", "user.a"))
                os.setxattr("f", "user.b", b"v" * 3000); print(len(os.getxattr("f", "user.b")), sorted(os.listxattr("f")))
                print(attempt(os.removexattr, "f", "user.c"), attempt(os.setxattr, "f", "user." + "n" * 251, b""))
                os.setxattr("f", "trusted.t", b"\\0\\xff"); print(os.getxattr("f", "trusted.t"))
                print(attempt(os.setxattr, "f", "unknown.x", b""), attempt(os.getxattr, "f", "user.none"))
                nobody(lambda: os.setxattr("f", "user.a", b"2"))
                """),
    ]
}

@Suite("Programs that cannot tell the mount from a native directory")
struct NativeTests {
    @Test("What they print is the same", arguments: Probe.all)
    func probe(_ probe: Probe) async throws {
        try await Sandbox.run(.directory, options: ["-o", "allow_other,default_permissions,suid"]) { sandbox in
            try sandbox.run(["chmod", "755", sandbox.root])
            let program = Probe.prelude + probe.program
            func printed(in directory: String) throws -> String {
                try makeDirectory(directory)
                return try sandbox.run(["sh", "-c", "cd \"$0\" && exec python3 -c \"$1\"", directory, program]).output
            }
            let expected = try printed(in: sandbox.scratch("native"))
            #expect(!expected.isEmpty)
            #expect(try printed(in: sandbox.path("probe")) == expected)
            try sandbox.settle()
        }
    }

    @Test("O_TMPFILE is EOPNOTSUPP, as the SEMANTICS say; programs then take a name of their own")
    func temporaryFiles() async throws {
        try await Sandbox.run(.directory) { sandbox in
            let flag = Int32(0o20_200_000)
            #expect(throws: CallFailure(call: "open", code: EOPNOTSUPP)) {
                try OpenFile(sandbox.mountPoint, O_RDWR | flag).abandon()
            }
        }
    }

    @Test("A listing goes on rightly while what it lists is removed, and its positions stay valid")
    func listingWhileRemoving() async throws {
        try await Sandbox.run(.directory) { sandbox in
            let count = 600
            for index in 0..<count { try makeDirectory(sandbox.path("d\(index)")) }
            let directory = try #require(opendir(sandbox.mountPoint))
            defer { closedir(directory) }
            func next() -> String? {
                guard let entry = readdir(directory) else { return nil }
                return withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
            }
            var seen: [String] = []
            var removed: Set<String> = []
            while let name = next() {
                guard name.hasPrefix("d") else { continue }
                seen.append(name)
                // Every second one goes, and one that comes later.
                if seen.count % 2 == 0 {
                    try check("rmdir", Int(rmdir(sandbox.path(name))))
                    removed.insert(name)
                }
            }
            #expect(seen.count == count && Set(seen).count == count)
            // Back to a position in the middle: the same entries follow as before, without the removed ones.
            rewinddir(directory)
            for _ in 0..<100 { _ = next() }
            let position = telldir(directory)
            var rest: [String] = []
            while let name = next() { rest.append(name) }
            if let first = rest.first { try check("rmdir", Int(rmdir(sandbox.path(first)))) }
            seekdir(directory, position)
            var again: [String] = []
            while let name = next() { again.append(name) }
            #expect(again.filter { $0 != rest.first } == Array(rest.dropFirst()))
            #expect(removed.isDisjoint(with: rest))
        }
    }

    @Test("An ordinary user mounts through fusermount3, and owns what is written")
    func ordinaryUser() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try sandbox.run(["chmod", "711", sandbox.root])
            let home = sandbox.scratch("home")
            // Some systems keep /dev/fuse for root; there the user gets one, in a namespace of its own.
            let device =
                "mount -t tmpfs -o mode=755 tmpfs $0 && mknod -m 666 $0/fuse c 10 229 && mount --bind $0/fuse /dev/fuse"
            try makeDirectory(sandbox.scratch("dev"))
            let own = ["unshare", "-m", "sh", "-ec", device + "\nexec \"$@\"", sandbox.scratch("dev")]
            let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            try sandbox.run(["sh", "-c", "mkdir $0 && cp $1 $0/backupfs && chown -R 65534:65534 $0", home, backupfs])
            let script = """
                cd; mkdir main mount backup
                ./backupfs mount main mount --backup "file://$HOME/backup"
                echo content > mount/f; mkdir mount/d; ln mount/f mount/d/g; cat mount/d/g; stat -c '%U %h' mount/f
                rm main/f main/d/g; cat mount/f
                ./backupfs unmount mount; ls main
                """
            let printed = try sandbox.run(own + user + ["sh", "-ec", script], environment: ["HOME": home]).output
            #expect(printed == "content\nnobody 2\ncontent\nd\nf\n")
        }
    }
}
