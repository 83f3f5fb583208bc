import Glibc
import Testing

@testable import Command

@Suite("Finding the daemon")
struct FinderTests {
    private static let socket = "/proc/4711/fd/8/control.sock"

    private static func entry(_ mountPoint: BytePath, source: BytePath, type: String = "fuse.backupfs") -> MountTable {
        let root = MountTable.Entry(
            root: BytePath("/"), mountPoint: BytePath("/"), type: "ext4", source: BytePath("/dev/sda1"))
        let own = MountTable.Entry(root: BytePath("/"), mountPoint: mountPoint, type: type, source: source)
        return MountTable(entries: [root, own])
    }

    @Test("mountinfo's fields are read, octal escapes undone, and nonsense is left out")
    func mountinfo() {
        let text = """
            21 26 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
            36 35 98:0 /sub\\040dir /mnt\\040a\\134b rw,noatime master:1 - fuse.backupfs /srv/ph\\303\\244 rw,user_id=0
            nonsense
            1 2 3 4 5 6 -

            """
        let table = MountTable(mountinfo: Array(text.utf8))
        #expect(table.entries.count == 2)
        #expect(
            table.entries.last
                == MountTable.Entry(
                    root: BytePath("/sub dir"), mountPoint: BytePath("/mnt a\\b"), type: "fuse.backupfs",
                    source: BytePath("/srv/ph\u{e4}")))
        #expect(MountTable(mountinfo: []).entries.isEmpty)
    }

    @Test("a path lies in the longest mount point above it, the last one mounted there")
    func longest() {
        let entries = ["/", "/mnt", "/mnt/a", "/mnt/a"].enumerated().map { number, path in
            MountTable.Entry(
                root: BytePath("/"), mountPoint: BytePath(path), type: "t\(number)", source: BytePath("s"))
        }
        let table = MountTable(entries: entries)
        #expect(table.entry(containing: BytePath("/mnt/a/b"))?.type == "t3")
        #expect(table.entry(containing: BytePath("/mnt/ab"))?.type == "t1")
        #expect(table.entry(containing: BytePath("/srv"))?.type == "t0")
        #expect(table.entry(at: BytePath("/mnt/a/b")) == nil)
    }

    @Test("in a mount the file's own attribute leads, and names below it may not exist yet")
    func attribute() throws {
        let directory = try TemporaryDirectory()
        let mount = try directory.directory("mnt")
        _ = try directory.directory("mnt/a")
        let finder = DaemonFinder(mounts: Self.entry(mount, source: BytePath("/srv/photos"))) { _ in Self.socket }
        let target = try finder.target(for: mount.appending("a").appending("new").appending("b.jpg"))
        #expect(
            target.addresses == [
                .socket(BytePath(Self.socket)), .abstract(Self.socket),
                .stateDirectory(BytePath("/srv/photos/.backupfs")),
            ])
        #expect(target.relativePath == Array("a/new/b.jpg".utf8))
        #expect(target.mountPoint == mount)
    }

    @Test(
        "an attribute that no daemon gives is not followed",
        arguments: ["", "/tmp/evil", "/proc/self/fd/3/control.sock", "/proc/1/fd/3/../x", "/proc/1/cwd/3/control.sock"])
    func forged(value: String) throws {
        let directory = try TemporaryDirectory()
        let finder = DaemonFinder(mounts: Self.entry(directory.path, source: directory.path)) { _ in value }
        #expect(try finder.target(for: directory.path).addresses.isEmpty)
    }

    @Test("outside of a mount the main directory above the path leads")
    func main() throws {
        let directory = try TemporaryDirectory()
        let main = try directory.directory("main")
        _ = try directory.directory("main/.backupfs")
        _ = try directory.file("main/.backupfs/catalogue.sqlite")
        let below = try directory.directory("main/a/b")
        let finder = DaemonFinder(mounts: Self.entry(BytePath("/none"), source: main)) { _ in nil }
        let target = try finder.target(for: below)
        #expect(target.addresses == [.stateDirectory(main.appending(".backupfs"))])
        #expect(target.relativePath == Array("a/b".utf8))
        #expect(try finder.target(for: main).relativePath.isEmpty)
        #expect(throws: ControlFailure.notBackupFS(directory.path)) { try finder.target(for: directory.path) }
    }

    @Test("paths of any bytes keep them")
    func bytes() {
        let raw: [UInt8] = [0x2f, 0x61, 0xff, 0x2f, 0xc3, 0xa4, 0x0a]
        let text = RawArguments.text(of: raw)
        #expect(RawArguments.bytes(of: text) == raw)
        #expect(BytePath(argument: text).description == "/a%FF/\u{e4}\\u{A}")
        #expect(BytePath("/a/b/").parent == BytePath("/a"))
        #expect(BytePath("/").parent == BytePath("/"))
        #expect(BytePath("a").parent == BytePath("."))
    }
}
