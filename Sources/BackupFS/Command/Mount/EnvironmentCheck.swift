// What a mount would need, tried one by one; what depends on a failed check is left out.

import FileSystemCore
import FoundationEssentials
import Glibc
import Linux
import Logging
import ObjectStorage

/// Tries what a mount of a main directory needs.
struct EnvironmentCheck {
    /// The main directory.
    var main: BytePath
    /// The settings that were given.
    var given: BackupSettings
    /// The process's environment.
    var environment = ProcessInfo.processInfo.environment
    /// The kernel's FUSE device.
    var fuseDevice = BytePath("/dev/fuse")
    /// How long backup storage may take for one check: with a person waiting, less than before a mount.
    var patience = Duration.seconds(10)

    /// Every check in its order.
    func run() -> [CheckReport.Check] {
        var checks = [mainCheck(), fuseCheck()]
        do throws(PreflightFailure) {
            let settings = try BackupSettings.resolve(
                given: given, environment: environment, remembered: try ConfigurationFile.read(main: main), main: main)
            let silent = Logger(label: "backupfs") { _ in SwiftLogNoOpLogHandler() }
            let store = try Assembly.store(settings, environment: environment, logger: silent)
            checks.append(.init(name: "configuration", ok: true, detail: store.location))
            checks += storeChecks(store)
        } catch {
            checks.append(.init(name: "configuration", ok: false, detail: "\(error)"))
        }
        return checks
    }

    private func mainCheck() -> CheckReport.Check {
        do throws(PreflightFailure) {
            let mounts = (try? MountTable.current()) ?? MountTable(entries: [])
            let main = try Preflight.main(main, mounts: mounts)
            guard main.withCString({ access($0, R_OK | W_OK | X_OK) }) == 0 else {
                throw .notUsable(main, SystemError("access"))
            }
            return try featureCheck(main)
        } catch {
            return .init(name: "main", ok: false, detail: "\(error)")
        }
    }

    /// What main's file system lacks is told; only without a way to sync a mount is worth nothing.
    private func featureCheck(_ main: BytePath) throws(PreflightFailure) -> CheckReport.Check {
        let missing: [MainFeatures.Feature]
        do throws(SystemError) { missing = try MainFeatures.missing(in: main) } catch { throw .notUsable(main, error) }
        let costs = missing.map(\.cost).joined(separator: "; ")
        return .init(
            name: "main", ok: !missing.contains(.sync),
            detail: "\(main) is a directory that can be written"
                + (missing.isEmpty ? "" : ". Its file system lacks something: \(costs)"))
    }

    private func fuseCheck() -> CheckReport.Check {
        do throws(PreflightFailure) {
            try Preflight.checkFuse(device: fuseDevice)
            return .init(name: "fuse", ok: true, detail: "\(fuseDevice) can be opened")
        } catch {
            return .init(name: "fuse", ok: false, detail: "\(error)")
        }
    }

    /// What depends on a failed check is left out: one line says what to change.
    private func storeChecks(_ store: any ObjectStore) -> [CheckReport.Check] {
        do throws(PreflightFailure) {
            try Assembly.check(store, patience: patience)
        } catch .backup(.denied(.server(.requestTimeTooSkewed), _)) {
            // A signed request that is off by more than 15 minutes is refused: S3 tells nothing finer.
            return [
                .init(
                    name: "clock", ok: false,
                    detail: "more than 15 minutes from the server's: set this machine's clock, with an NTP service")
            ]
        } catch {
            return [.init(name: "backup", ok: false, detail: "\(error)")]
        }
        let backup = CheckReport.Check(
            name: "backup", ok: true, detail: "it answers, accepts the credentials, and has the place for objects")
        if let refusal = neighbourCheck(store) { return [backup, refusal] }
        guard case .bucket = store.kind else { return [backup, objectCheck(store)] }
        let objects = objectCheck(store)
        return [backup, objects, proofCheck(store)] + discoveryChecks(store.discoveries)
    }

    /// What a first mount is refused with because of other backups around or inside the place; nil if nothing.
    private func neighbourCheck(_ store: any ObjectStore) -> CheckReport.Check? {
        do throws(ObjectStoreError) {
            let deadline = ContinuousClock.now + patience
            let refusal = try waitFor { () async throws(ObjectStoreError) in
                try await PrefixNeighbours.refusal(ofUnclaimed: store, deadline: deadline)
            }
            return refusal.map { .init(name: "prefix", ok: false, detail: "\($0)") }
        } catch {
            return .init(name: "prefix", ok: false, detail: "\(error)")
        }
    }

    /// What a mount makes good by itself, and the operator should know.
    private func discoveryChecks(_ discoveries: [StoreDiscovery]) -> [CheckReport.Check] {
        var checks: [CheckReport.Check] = []
        // A signed request that is off by more than 15 minutes is refused: S3 tells nothing finer.
        var clock = CheckReport.Check(name: "clock", ok: true, detail: "within 15 minutes of the server's")
        for discovery in discoveries {
            switch discovery {
            case .clock(let ahead):
                let minutes = ahead.components.seconds / 60
                let side = minutes > 0 ? "behind" : "ahead of"
                clock.ok = false
                clock.detail =
                    "\(abs(minutes)) minutes \(side) the server's: set this machine's clock, with an NTP service "
                    + "(a mount works, by the server's clock; new files get wrong times)"
            case .region(let region):
                checks.append(
                    .init(name: "region", ok: true, detail: "the bucket is in \(region): write --region \(region)"))
            case .host(let host):
                checks.append(.init(name: "host", ok: true, detail: "the server sends its clients on to \(host)"))
            }
        }
        return checks + [clock]
    }

    /// How uploads are proven; a store that did not let itself be tried is asked again with the first upload.
    private func proofCheck(_ store: any ObjectStore) -> CheckReport.Check {
        .init(
            name: "proof", ok: true,
            detail: store.proof ?? "what the server checks could not be tried: uploads are proven one by one")
    }

    /// Writes, reads and removes one object.
    private func objectCheck(_ store: any ObjectStore) -> CheckReport.Check {
        let name = UUID().uuidString.lowercased()
        let key = ".backupfs/check/\(name)"
        let body = Array("BackupFS was here to try whether this works: \(name)\n".utf8)
        let deadline = ContinuousClock.now + patience
        var step = "writing"
        do throws(ObjectStoreError) {
            let file = try temporaryFile()
            try waitFor { () async throws(ObjectStoreError) in
                try await store.put(key, .bytes(body), ObjectAttributes(contentType: "text/plain"), deadline: deadline)
            }
            step = "reading"
            var failure: ObjectStoreError?
            do throws(ObjectStoreError) {
                try waitFor { () async throws(ObjectStoreError) in
                    _ = try await store.get(key, into: file.number, limit: 4_096, deadline: deadline)
                }
                var read = [UInt8](repeating: 0, count: 4_096)
                let count = pread(file.number, &read, read.count, 0)
                guard count == body.count, Array(read[..<count]) == body else {
                    throw .corrupted(key: key, reason: "what was read is not what was written")
                }
            } catch {
                failure = error
            }
            // What was written is removed, whatever reading it showed.
            do throws(ObjectStoreError) {
                try waitFor { () async throws(ObjectStoreError) in try await store.delete(key, deadline: deadline) }
            } catch {
                if failure == nil { step = "removing" }
                failure = failure ?? error
            }
            if let failure { throw failure }
            return .init(name: "objects", ok: true, detail: "wrote, read and removed one")
        } catch {
            return .init(name: "objects", ok: false, detail: "\(step) \(key) failed: \(error)")
        }
    }

    private func temporaryFile() throws(ObjectStoreError) -> Descriptor {
        let file = tmpfile()
        guard let file else { throw .localFile(errno: errno) }
        defer { fclose(file) }
        do throws(SystemError) {
            return try Descriptor(duplicating: fileno(file))
        } catch {
            throw .localFile(errno: error.code)
        }
    }
}
