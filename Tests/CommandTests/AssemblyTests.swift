import FileSystemCore
import Foundation
import Glibc
import Logging
import ObjectStorage
import Synchronization
import Testing

@testable import Command

/// A store in memory that can be down or refuse everything.
private final class FakeStore: ObjectStore {
    let location = "s3://b/p"
    let kind = StoreKind.bucket(prefix: "p/")
    /// Guards what every request fails with; nil for none.
    private let failure = Mutex<ObjectStoreError?>(nil)
    /// Guards the objects.
    private let objects = Mutex<[String: [UInt8]]>([:])

    func fail(with error: ObjectStoreError?) { failure.withLock { $0 = error } }

    func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        if let error = failure.withLock({ $0 }) { throw error }
    }

    func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await check(deadline: deadline)
        guard case .bytes(let bytes) = body else { throw .rejected(.status(400), message: "") }
        objects.withLock { $0[key] = bytes }
    }

    func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try await check(deadline: deadline)
        guard let bytes = objects.withLock({ $0[key] }) else { throw .notFound(key: key) }
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else { throw .localFile(errno: errno) }
        return ObjectSummary(size: Int64(bytes.count), metadata: [:], sha256: BodyDigests(of: bytes).sha256)
    }

    func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary? {
        objects.withLock { $0[key] }.map { ObjectSummary(size: Int64($0.count), metadata: [:]) }
    }

    func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        objects.withLock { $0[key] = nil }
    }

    func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] { [] }
}

@Suite("Putting a mount together", .timeLimit(.minutes(40)))
struct AssemblyTests {
    private static let outage = ObjectStoreError.unreachable(reason: "connection refused")
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func fileSystem(
        _ directory: TemporaryDirectory, _ store: FakeStore
    ) throws -> (main: MainStorage, fileSystem: BackupFileSystem) {
        let main = try Assembly.mainStorage(directory.text)
        return (main, try Assembly.fileSystem(main, store, BackupSettings(), logger: silent))
    }

    @Test("a new main directory needs its backup storage, a known one is mounted without it, with a warning")
    func degraded() throws {
        let directory = try TemporaryDirectory()
        let store = FakeStore()
        let fileSystem = try Self.fileSystem(directory, store).fileSystem
        store.fail(with: Self.outage)
        #expect(throws: PreflightFailure.backup(Self.outage)) { try Assembly.claim(fileSystem) }
        store.fail(with: nil)
        #expect(try Assembly.claim(fileSystem) == nil)
        store.fail(with: Self.outage)
        #expect(try Assembly.claim(fileSystem)?.contains("connection refused") == true)
    }

    @Test(
        "who is refused is not mounted the first time, and later only warned",
        arguments: [
            .denied(.server(ServerCode("InvalidAccessKeyId")), message: "unknown key"), .noSuchBucket("b"),
            .rejected(.server(ServerCode("MethodNotAllowed")), message: ""), .deadlineExceeded(reason: "silence"),
        ] as [ObjectStoreError])
    func refused(error: ObjectStoreError) throws {
        let directory = try TemporaryDirectory()
        let store = FakeStore()
        let fileSystem = try Self.fileSystem(directory, store).fileSystem
        store.fail(with: error)
        #expect(throws: PreflightFailure.backup(error)) { try Assembly.claim(fileSystem) }
        #expect(throws: PreflightFailure.backup(error)) { try Assembly.check(store) }
        store.fail(with: nil)
        #expect(try Assembly.claim(fileSystem) == nil)
        store.fail(with: error)
        #expect(try Assembly.claim(fileSystem)?.hasPrefix("\(error): mounted all the same") == true)
    }

    @Test("a store whose credentials cannot be read says so at each request, and works once they can be")
    func lateStore() throws {
        let directory = try TemporaryDirectory()
        let password = directory.text + "/password"
        let settings = BackupSettings(
            backup: "s3://bucket/prefix", endpoint: "https://localhost:1", passwdFile: password)
        #expect(throws: PreflightFailure.self) {
            try Assembly.store(settings, environment: [:], logger: Self.silent)
        }
        let store = try Assembly.knownStore(settings, environment: [:], logger: Self.silent)
        #expect(store.location == "s3://bucket/prefix")
        #expect(store.kind == .bucket(prefix: "prefix/"))
        func failure() -> String {
            do throws(PreflightFailure) { try Assembly.check(store, patience: .seconds(2)) } catch { return "\(error)" }
            return ""
        }
        #expect(failure().contains(password))
        try Data("key:secret\n".utf8).write(to: URL(filePath: password))
        chmod(password, 0o600)
        #expect(!failure().contains(password) && !failure().isEmpty)
        #expect(throws: PreflightFailure.self) {
            try Assembly.knownStore(BackupSettings(backup: "ftp://x"), environment: [:], logger: Self.silent)
        }
    }

    @Test("a prefix of another catalogue is refused, and the refused first mount leaves nothing behind")
    func otherCatalogue() throws {
        let store = FakeStore()
        let first = try TemporaryDirectory()
        let owner = try Self.fileSystem(first, store).fileSystem
        #expect(try Assembly.claim(owner) == nil)
        let second = try TemporaryDirectory()
        let (main, other) = try Self.fileSystem(second, store)
        #expect(throws: PreflightFailure.ownership(.belongsToAnother(location: "s3://b/p"))) {
            try Assembly.claim(other)
        }
        NewState.discard(main)
        #expect(try FileManager.default.contentsOfDirectory(atPath: second.text).isEmpty)
        withExtendedLifetime(other) {}
    }

    @Test("one main directory, one daemon: the second is told the first one's process")
    func secondDaemon() throws {
        let directory = try TemporaryDirectory()
        let main = try Assembly.mainStorage(directory.text)
        #expect(throws: PreflightFailure.inUse(main: directory.path, process: getpid())) {
            try Assembly.mainStorage(directory.text)
        }
        withExtendedLifetime(main) {}
    }

    @Test("check tells what works and what does not, one by one")
    func check() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.path.appending("missing")
        let checks = EnvironmentCheck(
            main: missing, given: BackupSettings(), environment: [:], fuseDevice: missing
        ).run()
        #expect(checks.map(\.name) == ["main", "fuse", "configuration"])
        #expect(checks.allSatisfy { !$0.ok && !$0.detail.isEmpty })
    }
}
