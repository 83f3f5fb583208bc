import Foundation
import Glibc
import Linux
import Testing

@testable import Command

@Suite("Preflight")
struct PreflightTests {
    private static let noMounts = MountTable(entries: [])

    private static func mounted(_ path: BytePath, _ type: String) -> MountTable {
        MountTable(entries: [
            MountTable.Entry(root: BytePath("/"), mountPoint: path, type: type, source: BytePath("source"))
        ])
    }

    /// What a mount is refused with; nil if it is not.
    private static func refusal(
        _ main: BytePath, _ mountPoint: BytePath, _ mounts: MountTable = noMounts
    ) -> PreflightFailure? {
        do throws(PreflightFailure) {
            _ = try Preflight(main: main, mountPoint: mountPoint, mounts: mounts)
            return nil
        } catch {
            return error
        }
    }

    @Test("main and mount point must be directories")
    func directories() throws {
        let directory = try TemporaryDirectory()
        let main = try directory.directory("main")
        let mount = try directory.directory("mnt")
        let file = try directory.file("file")
        let missing = directory.path.appending("missing")
        #expect(Self.refusal(main, mount) == nil)
        #expect(Self.refusal(main, main) == nil)
        #expect(Self.refusal(missing, mount) == .mainMissing(missing))
        #expect(Self.refusal(file, mount) == .mainNotDirectory(file))
        #expect(Self.refusal(main, missing) == .mountPointMissing(missing))
        #expect(Self.refusal(main, file) == .mountPointNotDirectory(file))
    }

    @Test("neither may lie in the other, symbolic links seen through")
    func nesting() throws {
        let directory = try TemporaryDirectory()
        let main = try directory.directory("main")
        let inner = try directory.directory("main/inner")
        _ = try directory.directory("main-not")
        let link = directory.path.appending("link")
        #expect(link.withCString { link in inner.withCString { symlink($0, link) } } == 0)
        #expect(Self.refusal(main, inner) == .mountPointInsideMain(mountPoint: inner, main: main))
        #expect(Self.refusal(main, link) == .mountPointInsideMain(mountPoint: link, main: main))
        #expect(Self.refusal(inner, main) == .mainInsideMountPoint(main: inner, mountPoint: main))
        #expect(Self.refusal(main, directory.path.appending("main-not")) == nil)
    }

    @Test("a mount point that is busy is refused, but not an automounter's, nor the disk that main covers")
    func busy() throws {
        let directory = try TemporaryDirectory()
        let main = try directory.directory("main")
        let mount = try directory.directory("mnt")
        #expect(Self.refusal(main, mount, Self.mounted(mount, "ext4")) == .mountPointBusy(mount, type: "ext4"))
        #expect(Self.refusal(main, mount, Self.mounted(mount, "autofs")) == nil)
        #expect(Self.refusal(main, main, Self.mounted(main, "ext4")) == nil)
        #expect(Self.refusal(main, main, Self.mounted(main, "fuse.sshfs")) == .mountPointBusy(main, type: "fuse.sshfs"))
        #expect(Self.refusal(main, main, Self.mounted(main, "fuse.backupfs")) == .mainIsMounted(main))
        #expect(Self.refusal(main, mount, Self.mounted(directory.path, "fuse.backupfs")) == .mainIsMounted(main))
    }

    @Test("a directory as backup storage may not share files with the mount, whether it exists or not")
    func backup() throws {
        let directory = try TemporaryDirectory()
        let main = try directory.directory("main")
        let mount = try directory.directory("mnt")
        let places = try Preflight(main: main, mountPoint: mount, mounts: Self.noMounts)
        for path in ["main", "main/backup", "mnt/new/backup", "."] {
            #expect(throws: PreflightFailure.self) { try places.checkBackup("file://\(directory.text)/\(path)") }
        }
        try places.checkBackup("file://\(directory.text)/backup/new")
        try places.checkBackup("s3://main/mnt")
    }

    @Test("a catalogue that was there and is not any more is no new main directory")
    func catalogue() throws {
        let directory = try TemporaryDirectory()
        let places = try Preflight(main: directory.path, mountPoint: directory.path, mounts: Self.noMounts)
        let settings = BackupSettings(backup: "s3://b")
        #expect(try !places.hasCatalogue(remembered: nil))
        #expect(throws: PreflightFailure.catalogueMissing(main: directory.path)) {
            try places.hasCatalogue(remembered: settings)
        }
        _ = try directory.directory(".backupfs")
        _ = try directory.file(".backupfs/catalogue.sqlite")
        #expect(try places.hasCatalogue(remembered: settings))
    }

    @Test("the whole plan of a mount refuses in the same way, with one line each")
    func plan() throws {
        let directory = try TemporaryDirectory()
        var request = MountRequest(main: directory.path, mountPoint: directory.path)
        #expect(throws: PreflightFailure.nothingToBackUpTo(main: directory.path)) {
            try MountPlan(request, environment: [:], mounts: Self.noMounts)
        }
        request.given.backup = "file://\(directory.text)/backup"
        #expect(throws: PreflightFailure.self) {
            try MountPlan(request, environment: [:], mounts: Self.noMounts)
        }
        let name = BytePath([UInt8(ascii: "x"), 0xff])
        let odd = directory.path.appending([name.bytes])
        #expect(odd.withCString { mkdir($0, 0o700) } == 0)
        request = MountRequest(main: odd, mountPoint: odd)
        #expect(throws: PreflightFailure.self) {
            try MountPlan(request, environment: [:], mounts: Self.noMounts)
        }
    }

    @Test("no FUSE device, no mount; one that may not be opened has another cause")
    func fuse() throws {
        let missing = BytePath("/dev/fuse-is-not-here")
        #expect(throws: PreflightFailure.noFuse(SystemError("open", ENOENT))) {
            try Preflight.checkFuse(device: missing)
        }
        let lines = [ENOENT, EACCES].map { "\(PreflightFailure.noFuse(SystemError("open", $0)))" }
        #expect(lines[0].contains("modprobe fuse"))
        #expect(lines[1].contains("mount as root"))
    }
}
