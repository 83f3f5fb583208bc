// Tests/Tools/torture in small: deaths of the daemon and of the disk under load, some dozens here, any number by hand.

import Foundation
import Glibc
import Testing

@Suite("Deaths under load", .serialized)
struct TortureTests {
    private static let hasPowerCuts = exists("/usr/sbin/mkfs.ext4") && exists("/dev/loop-control")

    /// Runs it, and shows what it says if it finds something.
    private func torture(_ arguments: [String], python: String = "python3") throws {
        let directory = FileManager.default.temporaryDirectory.path + "/torture-\(UUID().uuidString)"
        try makeDirectory(directory)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let program = try Program(
            [python, "\(repository)/Tests/Tools/torture"] + arguments,
            environment: ["BACKUPFS_EXECUTABLE": backupfs, "S3_BUCKET": S3Server.fromEnvironment?.bucket ?? ""],
            output: directory + "/said")
        let outcome = try program.wait(atMost: .seconds(240))
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }

    @Test("Twelve times kill -9: what was acknowledged is in the mount, in main and in the backup")
    func killed() throws { try torture(["--cycles", "12", "--load", "0.3"]) }

    @Test(
        "The same with a bucket",
        .enabled(
            if: S3Server.isThere && ProcessInfo.processInfo.environment["BACKUPFS_PYTHON"] != nil,
            "needs the environment of Tests/Tools/seaweedfs"))
    func killedWithBucket() throws {
        let python = ProcessInfo.processInfo.environment["BACKUPFS_PYTHON"] ?? "python3"
        try torture(["--cycles", "6", "--load", "0.3", "--backup", "s3"], python: python)
    }

    @Test("Six power cuts", .enabled(if: hasPowerCuts, "needs e2fsprogs and loop devices"))
    func powerCut() throws { try torture(["--power-loss", "--cycles", "6", "--load", "0.3"]) }

    @Test("Reboots in an outage, lost objects, and a disk that goes and comes back", .enabled(if: hasPowerCuts))
    func troubles() throws {
        try torture(["--troubles", "--power-loss", "--cycles", "6", "--load", "0.3", "--seed", "3"])
    }

    @Test(
        "Deaths and failures between two steps",
        arguments: [
            "rename.main", "rename.row", "link.main", "upload.sent", "truncate.main", "repair.rename", "stop.synced",
        ])
    func betweenSteps(_ point: String) throws { try torture(["--point", point]) }

    @Test("docs/DURABILITY.md names the failpoints of the code, all of them and no others")
    func documented() throws {
        let sources = try filesBelow("\(repository)/Sources/BackupFS/FileSystemCore")
        var inCode: Set<String> = []
        for file in sources where file.hasSuffix(".swift") {
            let text = try String(
                contentsOfFile: "\(repository)/Sources/BackupFS/FileSystemCore/\(file)", encoding: .utf8)
            for match in text.matches(of: /(?:reach|pass)\("([a-z]+\.[a-z]+)"\)/) { inCode.insert(String(match.1)) }
        }
        let page = try String(contentsOfFile: "\(repository)/docs/DURABILITY.md", encoding: .utf8)
        let inPage = Set(page.matches(of: /(?m)^\| `([a-z]+\.[a-z]+)` \|/).map { String($0.1) })
        #expect(inCode.count > 30)
        #expect(inCode.symmetricDifference(inPage) == [])
    }
}
