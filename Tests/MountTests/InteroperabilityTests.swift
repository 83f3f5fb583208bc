// What other people's tools see in the bucket: whole files with their attributes, without BackupFS and without its catalogue.

import Foundation
import Glibc
import Testing

/// The directory with `aws` and `rclone`, as Tests/Tools/s3-tools prints it.
private let tools = ProcessInfo.processInfo.environment["BACKUPFS_TEST_S3_TOOLS"]

/// A photo before it comes into the mount.
private struct Original {
    var name: String
    var size: Int
    var mode: mode_t
    var owner: (uid: uid_t, gid: gid_t)
    /// Seconds and nanoseconds since 1970.
    var modified: (seconds: Int, nanoseconds: Int)

    static let all = [
        Original(
            name: "plain.jpg", size: 200_000, mode: 0o644, owner: (0, 0), modified: (1_700_000_000, 123_456_789)),
        Original(
            name: "shop/2023/IMG 1+2&3.JPG", size: 300_001, mode: 0o600, owner: (1234, 5678),
            modified: (1_600_000_000, 1)),
        Original(name: "shop/한국.png", size: 70_000, mode: 0o4755, owner: (33, 33), modified: (86_400, 500_000_000)),
        Original(name: "empty", size: 0, mode: 0o440, owner: (0, 7), modified: (2_000_000_000, 999_999_999)),
        // Large enough to be sent in parts.
        Original(
            name: "video/long.mp4", size: 40_000_000, mode: 0o664, owner: (1000, 1000), modified: (1_234_567_890, 0)),
    ]
}

@Suite(
    "Other tools on the same bucket",
    .enabled(if: S3Server.isThere && tools != nil, "needs BACKUPFS_TEST_S3_ENDPOINT and BACKUPFS_TEST_S3_TOOLS"))
struct InteroperabilityTests {
    /// The attributes that a tool shows of a file.
    private struct Attributes: Equatable, CustomStringConvertible {
        var size: Int
        var mode: mode_t
        var owner: uid_t
        var group: gid_t
        var seconds: Int
        var nanoseconds: Int

        init(_ path: String) throws {
            let status = try MountTests.status(path)
            size = Int(status.st_size)
            mode = status.st_mode
            owner = status.st_uid
            group = status.st_gid
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }

        var description: String {
            "\(size) bytes, mode \(String(mode, radix: 8)), owner \(owner):\(group), modified \(seconds) s \(nanoseconds) ns"
        }
    }

    private let server: S3Server
    private let directory: String

    init() throws {
        server = try #require(S3Server.fromEnvironment)
        directory = try #require(tools)
    }

    private var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
            "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_BACKUP_TYPE": "s3", "RCLONE_CONFIG_BACKUP_PROVIDER": "Other",
            "RCLONE_CONFIG_BACKUP_ENV_AUTH": "true", "RCLONE_CONFIG_BACKUP_ENDPOINT": server.endpoint,
            "RCLONE_CONFIG_BACKUP_REGION": "us-east-1", "RCLONE_CONFIG_BACKUP_FORCE_PATH_STYLE": "true",
        ]
    }

    /// Copies photos into a mount with all that `cp -p` keeps, and gives the keys of their objects below the prefix.
    private func write(_ sandbox: Sandbox) throws -> (prefix: String, keys: [String]) {
        for (number, original) in Original.all.enumerated() {
            let path = sandbox.scratch("originals/\(original.name)")
            let parent = (path as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
            try writeFile(path, photo(number, size: original.size))
            try check("chown", Int(chown(path, original.owner.uid, original.owner.gid)))
            try check("chmod", Int(chmod(path, original.mode)))
            let time = timespec(tv_sec: original.modified.seconds, tv_nsec: original.modified.nanoseconds)
            try check("utimensat", Int(utimensat(AT_FDCWD, path, [time, time], 0)))
        }
        try sandbox.run(["cp", "-rp", sandbox.scratch("originals/."), sandbox.mountPoint])
        guard case .s3(_, let prefix, _) = sandbox.backup.place else { throw Hang(what: "a backup that is S3") }
        return (
            prefix,
            try Original.all.map { original in
                let key = try #require(try sandbox.info(original.name).backupKey)
                return String(key.trimmingPrefix("\(prefix)/"))
            }
        )
    }

    @Test("s3fs shows each photo with the size, mode, owner and times that the mount shows, and the same bytes")
    func s3fs() async throws {
        try await Sandbox.run(.s3) { sandbox in
            let (prefix, keys) = try write(sandbox)
            let password = sandbox.scratch("password")
            try writeFile(password, Array("\(server.accessKey):\(server.secretKey)\n".utf8), mode: 0o600)
            let point = sandbox.scratch("s3fs")
            try makeDirectory(point)
            let program = try sandbox.launch([
                "s3fs", "\(server.bucket):/\(prefix)", point, "-f", "-o", "passwd_file=\(password)", "-o",
                "url=\(server.endpoint),use_path_request_style,endpoint=us-east-1,sigv4",
            ])
            defer {
                for _ in 0..<5 where program.statusIfEnded() == nil {
                    _ = try? sandbox.outcome(["fusermount3", "-u", "-z", point])
                    _ = try? eventually("the end of s3fs", atMost: .seconds(5)) { program.statusIfEnded() != nil }
                }
                program.send(SIGKILL)
            }
            try eventually("s3fs serves: \(program.printed)\(program.complaints)") {
                if program.statusIfEnded() != nil { throw ProgramFailure(outcome: try program.wait()) }
                return try MountTests.status(point).st_dev != MountTests.status(sandbox.root).st_dev
            }
            for (original, key) in zip(Original.all, keys) {
                let shown = try Attributes("\(point)/\(key)")
                let expected = try Attributes(sandbox.path(original.name))
                #expect(shown == expected, "\(original.name)")
                #expect(try readFile("\(point)/\(key)") == readFile(sandbox.path(original.name)), "\(original.name)")
            }
        }
    }

    @Test("rclone lists the sizes and the times of modification, to the nanosecond")
    func rclone() async throws {
        struct Listed: Decodable {
            var path: String
            var size: Int
            var modified: String

            private enum CodingKeys: String, CodingKey {
                case path = "Path"
                case size = "Size"
                case modified = "ModTime"
            }
        }
        try await Sandbox.run(.s3) { sandbox in
            let (prefix, keys) = try write(sandbox)
            let output = try sandbox.run(
                [
                    "\(directory)/rclone", "lsjson", "-R", "--files-only", "--exclude", "/.backupfs/**",
                    "backup:\(server.bucket)/\(prefix)",
                ], environment: environment.merging(["TZ": "UTC"]) { $1 }
            ).output
            let listed = try JSONDecoder().decode([Listed].self, from: Data(output.utf8))
            #expect(Set(listed.map(\.path)) == Set(keys))
            for (original, key) in zip(Original.all, keys) {
                let one = try #require(listed.first { $0.path == key })
                #expect(one.size == original.size, "\(key)")
                // 2023-11-14T22:13:20.123456789Z, without zeros at its end.
                let parts = one.modified.dropLast().split(separator: ".")
                let date = try Date("\(parts[0])Z", strategy: .iso8601)
                #expect(Int(date.timeIntervalSince1970) == original.modified.seconds, "\(key): \(one.modified)")
                let fraction = (parts.count > 1 ? String(parts[1]) : "").padding(
                    toLength: 9, withPad: "0", startingAt: 0)
                #expect(Int(fraction) == original.modified.nanoseconds, "\(key): \(one.modified)")
            }
        }
    }

    @Test("aws s3 sync copies the prefix to a directory whose photos equal the originals")
    func sync() async throws {
        try await Sandbox.run(.s3) { sandbox in
            let (prefix, keys) = try write(sandbox)
            let target = sandbox.scratch("copy")
            try sandbox.run(
                [
                    "\(directory)/aws", "s3", "sync", "--only-show-errors", "--exclude", ".backupfs/*",
                    "s3://\(server.bucket)/\(prefix)", target,
                ], environment: environment)
            #expect(try filesBelow(target) == keys.sorted())
            for (original, key) in zip(Original.all, keys) {
                let expected = try readFile(sandbox.scratch("originals/\(original.name)"))
                #expect(try readFile("\(target)/\(key)") == expected, "\(original.name)")
            }
        }
    }
}
