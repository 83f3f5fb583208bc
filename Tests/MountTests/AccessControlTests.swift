// POSIX access control lists (docs/SEMANTICS.md, Extended attributes).

import Foundation
import Testing

@Suite("Access control lists")
struct AccessControlTests {
    @Test("Lists, modes, chmod, umask and default lists work on each other as on ext4", arguments: BackupKind.available)
    func lists(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: ["-o", "allow_other"]) { sandbox in
            func list(_ names: String) throws -> String {
                try sandbox.shell("getfacl -cnE \(names)").output
            }
            try sandbox.shell("umask 022; touch f; setfacl -m u:7:rw f")
            #expect(try list("f") == "user::rw-\nuser:7:rw-\ngroup::r--\nmask::rw-\nother::r--\n\n")
            #expect(try sandbox.shell("stat -c %a f").output == "664\n")
            try sandbox.shell("chmod 640 f")
            #expect(try list("f") == "user::rw-\nuser:7:rw-\ngroup::r--\nmask::r--\nother::---\n\n")
            // A list that says no more than a mode is one.
            try sandbox.shell("setfacl -b f")
            #expect(try list("f") == "user::rw-\ngroup::r--\nother::---\n\n")
            #expect(try sandbox.shell("getfattr -m - f").output.isEmpty)

            try sandbox.shell("umask 077; mkdir d; setfacl -d -m u:7:rwx,g::r,o::- d; touch d/file; mkdir d/directory")
            let inherited = "user:7:rwx\ngroup::r--\nmask::rwx\nother::---\n"
            #expect(try list("d/file") == "user::rw-\n\(inherited.replacing("mask::rwx", with: "mask::rw-"))\n")
            let defaults = inherited.split(separator: "\n").map { "default:\($0)\n" }.joined()
            #expect(try list("d/directory") == "user::rwx\n\(inherited)default:user::rwx\n\(defaults)\n")
            // Without a default list the umask counts.
            #expect(try sandbox.shell("umask 027; touch g; mkdir h; stat -c %a g h").output == "640\n750\n")
            let refused = try sandbox.outcome(["setfacl", "-d", "-m", "u:7:r", sandbox.path("f")])
            #expect(refused.status != 0)

            let before = try list("d/file d/directory")
            try sandbox.shell("cp -a d copy")
            #expect(try list("copy/file copy/directory") == before)
            try sandbox.stop()
            try sandbox.start(["-o", "allow_other"])
            #expect(try list("d/file d/directory") == before)
        }
    }

    @Test("The plain copies in MAIN never give the owning group what a list's mask allows to somebody else")
    func plainCopies() async throws {
        try await Sandbox.run(.directory, options: ["-o", "allow_other"]) { sandbox in
            func modes(_ names: String) throws -> String {
                try sandbox.run(["sh", "-c", "cd \(sandbox.main); stat -c %a \(names)"]).output
            }
            try sandbox.shell("umask 077; echo 1 > f; setfacl -m u:65534:rw f; mkdir d; setfacl -m u:65534:rwx d")
            #expect(try sandbox.shell("stat -c %a f d").output == "660\n770\n")
            #expect(try modes("f d") == "600\n700\n")
            // Inherited, by a file and a directory.
            try sandbox.shell("umask 077; setfacl -d -m u:65534:rwx,g::-,o::- d; echo 1 > d/file; mkdir d/directory")
            #expect(try modes("d/file d/directory") == "600\n700\n")
            // After chmod, a recovery and an emptying; and without the list the mode is the mode.
            try sandbox.shell("chmod 640 f")
            #expect(try modes("f") == "600\n")
            try sandbox.shell("chmod 660 f")
            try remove(sandbox.mainPath("f"))
            #expect(try sandbox.shell("cat f").output == "1\n")
            #expect(try modes("f") == "600\n")
            try remove(sandbox.mainPath("f"))
            try sandbox.shell("echo 2 > f")
            #expect(try modes("f") == "600\n")
            try sandbox.shell("setfacl -b f; chmod 660 f")
            #expect(try modes("f") == "660\n")
        }
    }

    @Test("The kernel lets in whom a list lets in, and nobody else", arguments: [BackupKind.directory])
    func enforced(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: ["-o", "allow_other"]) { sandbox in
            try sandbox.run(["chmod", "755", sandbox.root])
            try sandbox.shell("umask 077; echo text > f; setfacl -m u:65534:r f; chmod 755 .")
            func asNobody(_ command: String) throws -> Int32 {
                try sandbox.outcome([
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", command,
                ]).status
            }
            #expect(try asNobody("cat \(sandbox.path("f"))") == 0)
            #expect(try asNobody("echo x >> \(sandbox.path("f"))") != 0)
            try sandbox.shell("setfacl -x u:65534 f")
            #expect(try asNobody("cat \(sandbox.path("f"))") != 0)
        }
    }
}
