// Tools that people trust their data to, in the mount: rsync with everything it can keep, git, sqlite3, vim, tar, convert.

import Foundation
import Glibc
import Testing

/// A tree of some hundred files with all that rsync -aHAXS keeps.
private let makeTree = """
    mkdir -p t && cd t
    for d in $(seq 12); do
        mkdir -p a$d/b/c
        for f in $(seq 20); do head -c $((d * f * 37)) /dev/urandom > a$d/b/f$f.jpg; done
        ln a$d/b/f1.jpg a$d/hard; ln -s b/f2.jpg a$d/symbolic; ln a$d/symbolic a$d/b/c/linked-symbolic
        setfattr -n user.rating -v $d a$d/b/f3.jpg; setfacl -m u:7:rw,g:8:r a$d/b/f4.jpg
        setfacl -d -m u:7:rwx a$d/b/c
        printf -v number '%04o' $((d * 341)); chmod $number a$d/b/f$((d + 5)).jpg; chown $d:$((d + 1)) a$d/b/f7.jpg
        touch -d "196$((d % 10))-01-02 03:04:05.123456789" a$d/b/f8.jpg
    done
    chmod 7777 a1/b/f9.jpg; chmod 0000 a2/b/f9.jpg; mkfifo a3/pipe; mknod a3/null c 1 3
    truncate -s 20M a4/sparse; printf end >> a4/sparse; head -c 20000000 /dev/urandom > a5/large; : > a6/empty
    : > "$(printf 'n%.0s' {1..255})"; : > $'line\\nfeed'; : > ' space '; : > -dash; : > $'\\xff\\xfe'; : > 'back\\slash'
    chmod 3775 a7; touch -d '2040-01-01 00:00:00.5' a8 a9/b
    # rsync does not set the times of what is no file and was made in the same second.
    find . ! -type f ! -type d -exec touch -h -d '2001-02-03 04:05:06.789' {} +
    """

@Suite("Tools in the mount")
struct ToolTests {
    @Test(
        "rsync -aHAXS: an identical tree, nothing the second time, nor after the main copies are lost, nor mounted again"
    )
    func rsync() async throws {
        try await Sandbox.run(.directory, options: ["-o", "dev,suid"]) { sandbox in
            try sandbox.run(["bash", "-ec", "cd $0; \(makeTree)", sandbox.root])
            let source = sandbox.scratch("t/")
            try sandbox.run(["rsync", "-aHAXS", source, sandbox.path("t/")])
            func expectIdentical(_ moment: String) throws {
                let again = try sandbox.run(["rsync", "-aHAXSic", "--delete", source, sandbox.path("t/")])
                #expect(again.output == "", "\(moment)")
                // What rsync does not compare: the times of directories and links, and set-id bits, as it compares all.
                let format = ["-printf", "%P|%y|%m|%U:%G|%n|%T@|%l\\0"]
                func listing(_ path: String) throws -> Set<Substring> {
                    let files = try sandbox.run(["find", path, "-mindepth", "1", "!", "-type", "d"] + format).output
                    return Set(files.split(separator: "\0"))
                }
                #expect(try listing(sandbox.path("t")).symmetricDifference(listing(source)) == [], "\(moment)")
            }
            try expectIdentical("at once")
            let quick = try sandbox.run(["rsync", "-aHAXSi", source, sandbox.path("t/")])
            #expect(quick.output == "")
            try sandbox.settle()
            try sandbox.stop()
            try sandbox.run(["find", sandbox.main, "-type", "f", "-not", "-path", "*/.backupfs/*", "-delete"])
            try sandbox.start(["-o", "dev,suid"])
            try expectIdentical("without main copies")
            try sandbox.stop()
            try sandbox.start(["-o", "dev,suid"])
            try expectIdentical("mounted again")
        }
    }

    @Test("rsync --inplace, --append, --delete and --link-dest do what they say")
    func rsyncWays() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try sandbox.run([
                "bash", "-ec", "cd $0; mkdir s; head -c 300000 /dev/urandom > s/a; head -c 100000 /dev/urandom > s/b",
                sandbox.root,
            ])
            let source = sandbox.scratch("s/")
            try sandbox.run(["rsync", "-a", source, sandbox.path("one/")])
            let inode = try status(sandbox.path("one/a")).st_ino
            try sandbox.run([
                "bash", "-ec", "cd $0s; printf changed | dd of=a conv=notrunc status=none; printf more >> b",
                sandbox.root + "/",
            ])
            try sandbox.run([
                "rsync", "-a", "--inplace", "--ignore-times", "--no-whole-file", source + "a", sandbox.path("one/"),
            ])
            #expect(try status(sandbox.path("one/a")).st_ino == inode)
            try sandbox.run(["rsync", "-a", "--append-verify", source + "b", sandbox.path("one/")])
            try sandbox.run(["diff", "-r", source, sandbox.path("one")])
            try sandbox.run(["rsync", "-a", "--link-dest=../one", source, sandbox.path("two/")])
            #expect(try status(sandbox.path("two/a")).st_ino == inode)
            #expect(try status(sandbox.path("two/a")).st_nlink == 2)
            try remove(sandbox.scratch("s/b"))
            try sandbox.run(["rsync", "-a", "--delete", source, sandbox.path("one/")])
            #expect(try names(in: sandbox.path("one")) == ["a"])
            #expect(try names(in: sandbox.path("two")) == ["a", "b"])
            try sandbox.settle()
            #expect(try sandbox.backedUp("two/a") == readFile(sandbox.scratch("s/a")))
        }
    }

    @Test(
        "git, sqlite3, tar, vim and convert work as on any disk",
        arguments: ["git", "sqlite3", "tar", "vim", "convert"])
    func conformance(_ suite: String) async throws {
        try await Sandbox.run(.directory, options: ["-o", "allow_other,default_permissions,dev,suid"]) { sandbox in
            let outcome = try sandbox.run(
                ["\(repository)/Tests/Tools/conformance", sandbox.mountPoint, suite],
                environment: ["TMPDIR": sandbox.root])
            #expect(
                outcome.output.contains("\(suite)") && outcome.output.contains("1 suites ran, 0 failed"),
                "\(outcome.output)")
            try sandbox.settle()
            #expect(try sandbox.leftovers().isEmpty)
        }
    }
}
