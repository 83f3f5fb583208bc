// Ordinary programs in the mount: cp, mv, rsync, tar, ls, rm, and many of them at once.

import Foundation
import Glibc
import Testing

/// A tree with what real trees have: photos, folders, links, odd names, modes and old times.
private func makeTree(_ path: String, in sandbox: Sandbox) throws {
    try sandbox.run(["mkdir", "-p", "\(path)/2023/Süd see", "\(path)/2024", "\(path)/empty"])
    for index in 0..<6 { try writeFile("\(path)/2023/IMG_\(index).JPG", photo(index, size: 30_000 + index)) }
    try writeFile("\(path)/2023/Süd see/a b\nc'\"*.png", photo(10, size: 1))
    try writeFile("\(path)/2024/.hidden", [])
    try writeFile("\(path)/2024/" + String(repeating: "x", count: 255), photo(11))
    try sandbox.run(["ln", "-s", "../2023/IMG_1.JPG", "\(path)/2024/link"])
    try sandbox.run(["ln", "-s", "/nowhere/at all", "\(path)/2024/broken"])
    try sandbox.run(["chmod", "400", "\(path)/2023/IMG_2.JPG"])
    try sandbox.run(["chown", "123:456", "\(path)/2023/IMG_3.JPG"])
    try sandbox.run(["chmod", "2775", "\(path)/2024"])
    try sandbox.run(["touch", "-d", "1999-12-31 23:59:59.987654321", "\(path)/2023/IMG_4.JPG", "\(path)/2023"])
    // Old times: rsync leaves a directory's or a link's time alone when its seconds are right.
    let old = ["2024/link", "2024/broken", "empty", "2024", "2023/Süd see"].map { "\(path)/\($0)" }
    try sandbox.run(["touch", "-h", "-d", "2001-01-01 01:01:01.5"] + old)
}

/// What `ls -l` tells of a tree, in a form that can be compared.
private func listing(_ path: String, in sandbox: Sandbox) throws -> [String] {
    // A directory's size is its file system's own affair.
    let format = "%P %y %m %U %G %T@ %l"
    let all = try sandbox.run(["find", path, "-mindepth", "1", "-printf", format + "\\0"]).output
    let sizes = try sandbox.run(["find", path, "-type", "f", "-printf", "%P %s\\0"]).output
    return all.split(separator: "\0").map(String.init).sorted() + sizes.split(separator: "\0").map(String.init).sorted()
}

/// Expects that a tree is listed as another is; shows the lines that only one of them has.
private func expectListing(
    _ path: String, _ expected: [String], in sandbox: Sandbox, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let differing = try Set(listing(path, in: sandbox)).symmetricDifference(expected).sorted()
    #expect(differing == [], sourceLocation: sourceLocation)
}

@Suite("Programs in the mount")
struct ProgramTests {
    @Test("cp -a: the same content, modes, owners, times; MAIN is a plain copy", arguments: BackupKind.available)
    func copyTree(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let tree = sandbox.scratch("tree")
            try makeTree(tree, in: sandbox)
            try sandbox.run(["cp", "-a", tree, sandbox.mountPoint])
            try sandbox.run(["diff", "-r", "--no-dereference", tree, sandbox.path("tree")])
            let expected = try listing(tree, in: sandbox)
            try expectListing(sandbox.path("tree"), expected, in: sandbox)
            try expectListing(sandbox.mainPath("tree"), expected, in: sandbox)
            for file in try filesBelow(tree) where try status("\(tree)/\(file)").st_mode & S_IFMT == S_IFREG {
                #expect(try sandbox.backedUp("tree/\(file)") == readFile("\(tree)/\(file)"), "\(file)")
            }
            #expect(try sandbox.backup.keys().count == 9)
            // The same with the main copies gone: a listing needs none of them.
            try sandbox.stop()
            try sandbox.run(["find", sandbox.mainPath("tree"), "-type", "f", "-delete"])
            try sandbox.start()
            try expectListing(sandbox.path("tree"), expected, in: sandbox)
            try sandbox.run(["diff", "-r", "--no-dereference", tree, sandbox.path("tree")])
            try sandbox.run([backupfs, "unmount", sandbox.mountPoint])
            #expect(try sandbox.waitForEnd() == 0)
            try sandbox.run(["diff", "-r", "--no-dereference", "--exclude=.backupfs", tree, sandbox.mainPath("tree")])
        }
    }

    @Test("rsync -a twice: the second run transfers nothing; one PUT a file", arguments: BackupKind.available)
    func rsyncTwice(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let tree = sandbox.scratch("tree")
            try makeTree(tree, in: sandbox)
            try sandbox.run(["rsync", "-a", tree, sandbox.mountPoint])
            try expectListing(sandbox.path("tree"), listing(tree, in: sandbox), in: sandbox)
            let second = try sandbox.run(["rsync", "-ai", tree, sandbox.mountPoint])
            #expect(second.output.isEmpty)
            let checked = try sandbox.run(["rsync", "-aic", tree, sandbox.mountPoint])
            #expect(checked.output.isEmpty)
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 9)
            if kind == .s3 {
                // Nothing but one PUT a file: no copies, no deletions.
                let puts = try sandbox.requests("PUT")
                #expect(puts.count == 9 && Set(puts.map(\.path)).count == 9)
                #expect(try sandbox.requests("DELETE").isEmpty)
            }
            #expect(try sandbox.info("tree/2023/IMG_1.JPG").backupKey?.contains("tree/2023/IMG_1~") == true)
            // A changed photo is transferred, and alone.
            try writeFile("\(tree)/2023/IMG_0.JPG", photo(77))
            let third = try sandbox.run(["rsync", "-ai", tree, sandbox.mountPoint]).output
            #expect(third.split(separator: "\n").filter { $0.hasPrefix(">f") }.count == 1)
            #expect(try sandbox.backedUp("tree/2023/IMG_0.JPG") == photo(77))
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 9)
        }
    }

    @Test("mv of files and directories costs no upload, and content follows its name", arguments: BackupKind.available)
    func moves(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell("mkdir -p a/b c")
            for index in 0..<3 { try writeFile(sandbox.path("a/b/\(index).jpg"), photo(index)) }
            try writeFile(sandbox.path("c/target.jpg"), photo(9))
            let keys = try (0..<3).map { try sandbox.info("a/b/\($0).jpg").backupKey }
            let puts = try sandbox.requests("PUT").count
            try sandbox.shell("mv a/b/0.jpg c/moved.jpg; mv a/b/1.jpg c/target.jpg; mv a c/a")
            try sandbox.shell("mv -n c/a/b/2.jpg c/moved.jpg")
            let expected = ["c/a/b/2.jpg", "c/moved.jpg", "c/target.jpg"]
            #expect(try filesBelow(sandbox.mountPoint) == expected)
            #expect(try filesBelow(sandbox.main).filter { !$0.hasPrefix(".") } == expected)
            try sandbox.settle()
            #expect(try sandbox.info("c/moved.jpg").backupKey == keys[0])
            #expect(try sandbox.info("c/target.jpg").backupKey == keys[1])
            #expect(try sandbox.info("c/a/b/2.jpg").backupKey == keys[2])
            #expect(try sandbox.requests("PUT").count == puts)
            #expect(try sandbox.backup.keys().count == 3)
            // Lost in main under the new names: recovered under them.
            try sandbox.stop()
            try sandbox.run(["rm", "-r", sandbox.mainPath("c")])
            try sandbox.start()
            #expect(try readFile(sandbox.path("c/moved.jpg")) == photo(0))
            #expect(try readFile(sandbox.path("c/target.jpg")) == photo(1))
            #expect(try readFile(sandbox.path("c/a/b/2.jpg")) == photo(2))
            #expect(rename("\(sandbox.mountPoint)/c", "\(sandbox.mountPoint)/c/a/inside") == -1 && errno == EINVAL)
        }
    }

    @Test("32 programs that write at once", arguments: BackupKind.available)
    func thirtyTwoWriters(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let count = 32
            for index in 0..<count { try writeFile(sandbox.scratch("\(index).jpg"), photo(index)) }
            let script = "mkdir $2; cp $1 $2/a.jpg; cp $1 $2/b.jpg; mv $2/a.jpg $2/c.jpg; cmp $1 $2/c.jpg"
            let programs = try (0..<count).map { index in
                try sandbox.launch(
                    ["sh", "-ec", script, "sh", sandbox.scratch("\(index).jpg"), sandbox.path("\(index)")])
            }
            for program in programs {
                let outcome = try program.wait()
                #expect(outcome.status == 0, "\(outcome.errors)")
            }
            for index in 0..<count {
                #expect(try sandbox.backedUp("\(index)/b.jpg") == photo(index))
                #expect(try sandbox.backedUp("\(index)/c.jpg") == photo(index))
                #expect(try readFile(sandbox.mainPath("\(index)/c.jpg")) == photo(index))
            }
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 2 * count)
            #expect(try sandbox.status().resources.creating == 0)
        }
    }

    @Test("32 threads that append to one file lose nothing", arguments: BackupKind.available)
    func sharedFile(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("log"), [])
            let outcomes = concurrently(32) { index in
                let script = "for n in 1 2 3; do echo \(index)-$n >> $1; done"
                return try? sandbox.outcome(["sh", "-ec", script, "sh", sandbox.path("log")]).status
            }
            #expect(outcomes.allSatisfy { $0 == 0 })
            let lines = String(decoding: try readFile(sandbox.path("log")), as: UTF8.self).split(separator: "\n")
            #expect(Set(lines) == Set((0..<32).flatMap { index in (1...3).map { "\(index)-\($0)"[...] } }))
            #expect(lines.count == 96)
            try sandbox.settle()
            #expect(try sandbox.backedUp("log") == readFile(sandbox.path("log")))
        }
    }

    @Test("tar unpacks into the mount, packs from it, and finds no difference", arguments: BackupKind.available)
    func tar(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let tree = sandbox.scratch("tree")
            try makeTree(tree, in: sandbox)
            try sandbox.run(["tar", "-C", sandbox.root, "-cf", sandbox.scratch("tree.tar"), "tree"])
            try sandbox.run(["tar", "-C", sandbox.mountPoint, "-xpf", sandbox.scratch("tree.tar")])
            try sandbox.run(["tar", "-C", sandbox.mountPoint, "--compare", "-f", sandbox.scratch("tree.tar")])
            try sandbox.run(["tar", "-C", sandbox.mountPoint, "-cf", sandbox.path("again.tar"), "tree"])
            try sandbox.run(["tar", "-C", tree + "/..", "--compare", "-f", sandbox.path("again.tar")])
            try sandbox.settle()
        }
    }

    @Test("Editors' ways to save: in place, by rename, through a temporary file", arguments: BackupKind.available)
    func editing(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(
                """
                echo one > a; sed -i s/one/two/ a; [ "$(cat a)" = two ]
                echo three >> a; [ "$(wc -l < a)" = 2 ]
                echo four > .a.new; mv .a.new a; [ "$(cat a)" = four ]
                cp a b; echo longer than before > b; [ "$(cat b)" = 'longer than before' ]
                dd if=/dev/zero of=sparse bs=1 count=1 seek=99999 status=none; [ "$(stat -c %s sparse)" = 100000 ]
                mkdir d; cd d; echo x > y; cd ..; [ "$(cat d/y)" = x ]
                """)
            try sandbox.settle()
            #expect(try sandbox.backedUp("a") == Array("four\n".utf8))
            #expect(try sandbox.backedUp("sparse") == Array(repeating: 0, count: 100_000))
            #expect(try sandbox.backup.keys().count == 4)
        }
    }

    @Test("Extended attributes and their errors", arguments: BackupKind.available)
    func extendedAttributes(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.shell("setfattr -n user.rating -v 5 a.jpg")
            #expect(try sandbox.shell("getfattr --only-values -n user.rating a.jpg").output == "5")
            // Its own attributes are answered, but neither listed (cp would copy them) nor set.
            #expect(try sandbox.shell("getfattr -d -m - a.jpg").output.contains("backupfs") == false)
            let setting = ["setfattr", "-n", "user.backupfs.state", "-v", "x", sandbox.path("a.jpg")]
            #expect(try sandbox.outcome(setting).status != 0)
            try sandbox.stop()
            try sandbox.start()
            #expect(try sandbox.attribute("user.rating", of: "a.jpg") == "5")
            try sandbox.shell("setfattr -x user.rating a.jpg")
            #expect(try sandbox.attribute("user.rating", of: "a.jpg") == nil)
        }
    }

    @Test("A directory with thousands of files is listed whole", arguments: [BackupKind.directory])
    func largeDirectory(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, startsMounted: false) { sandbox in
            try sandbox.run(["bash", "-c", "mkdir $0/d; cd $0/d; touch $(seq -f 'file-%05.0f' 3000)", sandbox.main])
            try sandbox.start()
            let expected = (1...3000).map { "file-" + String(100_000 + $0).dropFirst() }
            #expect(try names(in: sandbox.path("d")) == expected)
            #expect(try sandbox.run(["ls", "-l", sandbox.path("d")]).output.split(separator: "\n").count == 3001)
        }
    }

    @Test("MAIN and MOUNTPOINT may be the same directory", arguments: BackupKind.available)
    func mountCoversMain(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, covering: true) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            #expect(try readFile(sandbox.mainPath("a.jpg")) == photo(1))
            #expect(try names(in: sandbox.mountPoint) == ["a.jpg"])
            try remove(sandbox.mainPath("a.jpg"))
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
            #expect(try sandbox.status().recoveries.done == 1)
            try sandbox.run([backupfs, "unmount", sandbox.mountPoint])
            #expect(try sandbox.waitForEnd() == 0)
            #expect(try names(in: sandbox.main) == [".backupfs", "a.jpg"])
            try sandbox.start()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            sandbox.kill9()
            try sandbox.start()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
        }
    }

    @Test("Other users see what modes allow them", arguments: [BackupKind.directory])
    func otherUsers(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: ["-o", "allow_other,default_permissions"]) { sandbox in
            try sandbox.run(["chmod", "755", sandbox.root])
            try writeFile(sandbox.path("public.jpg"), photo(1), mode: 0o644)
            try writeFile(sandbox.path("private.jpg"), photo(2), mode: 0o600)
            let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            try sandbox.run(nobody + ["cmp", sandbox.path("public.jpg"), sandbox.path("public.jpg")])
            #expect(try sandbox.outcome(nobody + ["cat", sandbox.path("private.jpg")]).status == 1)
            #expect(try sandbox.outcome(nobody + ["touch", sandbox.path("new")]).status == 1)
            try sandbox.shell("mkdir drop; chmod 1777 drop")
            try sandbox.run(nobody + ["cp", sandbox.path("public.jpg"), sandbox.path("drop/mine.jpg")])
            #expect(try status(sandbox.path("drop/mine.jpg")).st_uid == 65534)
            #expect(try status(sandbox.mainPath("drop/mine.jpg")).st_uid == 65534)
        }
    }
}
