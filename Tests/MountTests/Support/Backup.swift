// Where a test's mount backs up to, seen from outside: with other programs than the one under test.

import Foundation
import Glibc
import Testing

/// The kinds of backup storage; suites run over all that are there.
enum BackupKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case directory
    case s3

    var testDescription: String { self == .directory ? "file://" : "s3://" }

    /// Those that can be used: S3 if there is a server to test with, as under mount-scripts/test.
    ///
    /// BACKUPFS_TEST_S3_ONLY leaves the directory out: that has been tested, and this is about another server.
    static var available: [BackupKind] {
        if S3Server.fromEnvironment == nil { return [.directory] }
        return ProcessInfo.processInfo.environment["BACKUPFS_TEST_S3_ONLY"] == nil ? [.directory, .s3] : [.s3]
    }
}

/// The S3 server that the tests use.
struct S3Server: Sendable {
    var endpoint: String
    var bucket: String
    var accessKey: String
    var secretKey: String

    static let fromEnvironment: S3Server? = {
        let environment = ProcessInfo.processInfo.environment
        guard let endpoint = environment["BACKUPFS_TEST_S3_ENDPOINT"],
            let accessKey = environment["AWS_ACCESS_KEY_ID"], let secretKey = environment["AWS_SECRET_ACCESS_KEY"]
        else { return nil }
        return S3Server(
            endpoint: endpoint, bucket: environment["BACKUPFS_TEST_S3_BUCKET"] ?? "photos", accessKey: accessKey,
            secretKey: secretKey)
    }()

    static var isThere: Bool { fromEnvironment != nil }
}

/// The backup storage of one test.
final class Backup: Sendable {
    enum Place: Sendable {
        case directory(String)
        case s3(S3Server, prefix: String, S3Proxy)
    }

    let place: Place
    private let scratch: String

    init(_ kind: BackupKind, scratch: String) throws {
        self.scratch = scratch
        switch kind {
        case .directory:
            let path = scratch + "/backup"
            try makeDirectory(path)
            place = .directory(path)
        case .s3:
            guard let server = S3Server.fromEnvironment else { throw Hang(what: "BACKUPFS_TEST_S3_ENDPOINT") }
            let proxy = try S3Proxy(upstream: server.endpoint, directory: scratch)
            place = .s3(server, prefix: "test-\(UUID().uuidString.lowercased())", proxy)
        }
    }

    /// What `--backup` is given.
    var url: String {
        switch place {
        case .directory(let path): "file://\(path)"
        case .s3(let server, let prefix, _): "s3://\(server.bucket)/\(prefix)"
        }
    }

    /// What the daemon's environment needs.
    var environment: [String: String] {
        switch place {
        case .directory: [:]
        case .s3(_, _, let proxy): ["AWS_ENDPOINT_URL": proxy.endpoint, "AWS_REGION": "us-east-1"]
        }
    }

    /// Makes the storage unreachable: nobody listens; the directory is somewhere else.
    func takeAway() throws {
        switch place {
        case .directory(let path): try rename(path, to: path + ".away")
        case .s3(_, _, let proxy): try proxy.set("refuse")
        }
    }

    func bringBack() throws {
        switch place {
        case .directory(let path):
            // A daemon must not have made a new, empty storage in its place.
            try check("rename of the backup directory", Int(Glibc.rename(path + ".away", path)))
        case .s3(_, _, let proxy): try proxy.set("pass")
        }
    }

    func stop() {
        if case .s3(_, _, let proxy) = place { proxy.stop() }
    }

    // MARK: Its objects, under the keys that `info` names

    /// The keys of all objects but BackupFS's own.
    func keys() throws -> [String] {
        switch place {
        case .directory(let path):
            return try filesBelow(path).filter { $0.contains("~") && !$0.hasPrefix(".") }
        case .s3(let server, let prefix, _):
            let listing = try curl(server, ["\(server.endpoint)/\(server.bucket)?list-type=2&prefix=\(prefix)%2F"])
            return listing.split(separator: "<Key>").dropFirst().compactMap { part in
                part.split(separator: "</Key>").first.map(String.init)
            }.filter { !$0.hasPrefix("\(prefix)/.backupfs/") }
        }
    }

    /// An object's bytes; nil if it is not there.
    func object(_ key: String) throws -> [UInt8]? {
        switch place {
        case .directory(let path):
            return exists("\(path)/\(key)") ? try readFile("\(path)/\(key)") : nil
        case .s3(let server, _, _):
            let target = scratch + "/object-\(UUID().uuidString)"
            let code = try curl(server, ["-o", target, "-w", "%{http_code}", address(server, key)])
            return code == "200" ? try readFileIfAny(target) : nil
        }
    }

    /// curl makes no file for an empty object.
    private func readFileIfAny(_ path: String) throws -> [UInt8] { exists(path) ? try readFile(path) : [] }

    /// How many uploads in parts the server knows that were neither finished nor aborted; S3 only.
    func uploadsUnderWay() throws -> Int {
        guard case .s3(let server, let prefix, _) = place else { return 0 }
        let listing = try curl(server, ["\(server.endpoint)/\(server.bucket)?prefix=\(prefix)%2F&uploads="])
        return listing.split(separator: "<UploadId>").count - 1
    }

    /// An object's headers as the server sends them, in lower case; S3 only.
    func headers(_ key: String) throws -> [String: String] {
        guard case .s3(let server, _, _) = place else { return [:] }
        let lines = try curl(server, ["-I", address(server, key)]).split(whereSeparator: \.isNewline)
        return lines.reduce(into: [:]) { headers, line in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return }
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
    }

    /// Removes an object as somebody else would.
    func removeObject(_ key: String) throws {
        switch place {
        case .directory(let path): try remove("\(path)/\(key)")
        case .s3(let server, _, _): _ = try curl(server, ["-X", "DELETE", address(server, key)])
        }
    }

    private func address(_ server: S3Server, _ key: String) -> String { "\(server.endpoint)/\(server.bucket)/\(key)" }

    /// Asks the server itself, past the proxy.
    private func curl(_ server: S3Server, _ arguments: [String]) throws -> String {
        let outcome = try Program(
            [
                "curl", "-sS", "--max-time", "60", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                "\(server.accessKey):\(server.secretKey)",
                // Ceph wants the header that this curl leaves out.
                "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            ] + arguments, output: scratch + "/curl-\(UUID().uuidString)"
        ).wait()
        guard outcome.status == 0 else { throw ProgramFailure(outcome: outcome) }
        return outcome.output
    }
}
