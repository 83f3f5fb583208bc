// Nobody depends on BackupFS to leave it: docs/read-bucket.py rebuilds the tree from the bucket with boto3 alone.

import Foundation
import Glibc
import Testing

private let python = ProcessInfo.processInfo.environment["BACKUPFS_PYTHON"]

@Suite("A bucket read without BackupFS")
struct BucketReaderTests {
    @Test(
        "docs/read-bucket.py rebuilds names, bytes, modes, owners, times, links and attributes",
        .enabled(if: S3Server.isThere && python != nil, "needs the environment of Tests/Tools/seaweedfs"))
    func rebuilds() async throws {
        try await Sandbox.run(.s3) { sandbox in
            let server = try #require(S3Server.fromEnvironment)
            guard case .s3(_, let prefix, _) = sandbox.backup.place else { throw Hang(what: "a backup that is S3") }
            try sandbox.shell(
                """
                mkdir -p shop/2023 empty; chmod 750 shop; chown 12:34 empty
                head -c 300000 /dev/urandom > shop/2023/a.jpg; chmod 640 shop/2023/a.jpg
                ln shop/2023/a.jpg shop/again.jpg; ln -s ../a.jpg shop/2023/link; mkfifo pipe
                : > "$(printf 'no\\377utf8 \\n.jpg')"
                head -c 5000 /dev/urandom > gone.jpg; head -c 9000 /dev/urandom > moved.jpg
                setfattr -n user.title -v 0x00ff61 moved.jpg
                mv moved.jpg shop/moved.jpg; rm gone.jpg; head -c 77 /dev/urandom > shop/moved.jpg
                touch -d '2001-02-03 04:05:06.789012345' shop/2023/a.jpg; touch -d '1969-12-31' shop/2023
                """)
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            let target = sandbox.scratch("rebuilt")
            let read = try sandbox.run(
                [
                    try #require(python), "\(repository)/docs/read-bucket.py", "s3://\(server.bucket)/\(prefix)",
                    target,
                ], environment: ["AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": "us-east-1"])
            #expect(read.errors.isEmpty, "\(read.errors)")
            let difference = try sandbox.run([
                "rsync", "-aHXni", "--specials", "--checksum", "--delete", "\(sandbox.mountPoint)/", "\(target)/",
            ])
            #expect(difference.output.isEmpty, "\(difference.output)")
        }
    }
}
