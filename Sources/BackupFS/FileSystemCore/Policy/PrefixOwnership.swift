// A prefix of a bucket belongs to one catalogue: `.backupfs/catalogue.json` there names it. It is looked at before the
// mount; if backup storage cannot be reached then, before the first upload.

import Catalogue
import Foundation
import ObjectStorage
import Synchronization

/// Whether backup storage is known to be ours.
final class PrefixOwnership: Sendable {
    private let verified = Atomic(false)

    var isVerified: Bool { verified.load(ordering: .acquiring) }

    func setVerified() { verified.store(true, ordering: .releasing) }
}

/// Why backup storage is refused.
package enum OwnershipError: Error, Equatable {
    /// The prefix belongs to another catalogue.
    case belongsToAnother(location: String)
    /// The catalogue says that files are stored there, and the prefix has no marker.
    case markerMissing(location: String)
    /// Backup storage did not answer or refused us.
    case store(ObjectStoreError)
    case catalogue(CatalogueError)
}

extension OwnershipError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .belongsToAnother(let location):
            "\(location) belongs to another BackupFS catalogue: use another prefix, or the main directory that it belongs to"
        case .markerMissing(let location):
            "\(location) has no BackupFS marker although this catalogue has files there: is it the right bucket and prefix?"
        case .store(let error): "\(error)"
        case .catalogue(let error): "the catalogue: \(error)"
        }
    }
}

extension BackupFileSystem {
    private static let markerKey = ".backupfs/catalogue.json"

    private struct Marker: Codable {
        var catalogue: String
        var format: Int
    }

    /// Makes sure that backup storage is there and its prefix is this catalogue's; claims it at the first mount.
    package func claimPrefix(deadline: ContinuousClock.Instant) async throws(OwnershipError) {
        let identity: String
        let hasVersions: Bool
        do throws(CatalogueError) {
            identity =
                try catalogue.read { reader throws(CatalogueError) in try reader.setting(Setting.catalogue) } ?? ""
            hasVersions = try catalogue.read { reader throws(CatalogueError) in try reader.hasStoredVersions() }
        } catch {
            throw .catalogue(error)
        }
        do throws(ObjectStoreError) {
            try await store.check(deadline: deadline)
            if let marker = try await readMarker(deadline: deadline) {
                guard marker == identity else { throw OwnershipMismatch.other.asStoreError }
            } else {
                guard !hasVersions else { throw OwnershipMismatch.missing.asStoreError }
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys]
                let body = (try? encoder.encode(Marker(catalogue: identity, format: 1))) ?? Data()
                try await store.put(
                    Self.markerKey, .bytes([UInt8](body)), ObjectAttributes(contentType: "application/json"),
                    deadline: deadline)
                guard try await readMarker(deadline: deadline) == identity else {
                    throw OwnershipMismatch.other.asStoreError
                }
            }
        } catch {
            if error.meansUnreachable { noteStore(error) }
            switch OwnershipMismatch(error) {
            case .other: throw .belongsToAnother(location: store.location)
            case .missing: throw .markerMissing(location: store.location)
            case nil: throw .store(error)
            }
        }
        do throws(CatalogueError) {
            try await catalogue.changeLater(.powerLoss) { writer throws(CatalogueError) in
                try writer.set(Setting.claimed, to: "yes")
            }
        } catch {
            throw .catalogue(error)
        }
        ownership.setVerified()
        noteStore(nil)
    }

    /// Before an upload: nothing is sent to a prefix that is not known to be ours.
    func verifyOwnership(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        if !ownership.isVerified { try await confirmOwnership(deadline: deadline) }
    }

    /// Asks backup storage, whatever was known before.
    func confirmOwnership(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        do throws(OwnershipError) {
            try await claimPrefix(deadline: deadline)
        } catch {
            switch error {
            case .store(let error): throw .backup(error)
            case .catalogue(let error): throw .catalogue(error)
            case .belongsToAnother, .markerMissing:
                throw .backup(.denied(code: "NotOurs", message: "\(error)"))
            }
        }
    }

    private func readMarker(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> String? {
        let stagedName = "marker-\(VersionID(now: currentTime()))"
        guard let staged = try? main.createStaged(stagedName) else { throw .localFile(errno: EIO) }
        defer { main.removeStaged(stagedName) }
        do throws(ObjectStoreError) {
            _ = try await store.get(Self.markerKey, into: staged.number, limit: 4096, deadline: deadline)
        } catch .notFound {
            return nil
        }
        var text = [UInt8](repeating: 0, count: 4096)
        let count = pread(staged.number, &text, text.count, 0)
        guard count > 0, let marker = try? JSONDecoder().decode(Marker.self, from: Data(text[..<count])) else {
            return ""
        }
        return marker.catalogue
    }
}

/// Carries the two findings about a marker through a block that throws store errors.
private enum OwnershipMismatch: String {
    case other
    case missing

    var asStoreError: ObjectStoreError { .rejected(code: "BackupFS.\(rawValue)", message: "") }

    init?(_ error: ObjectStoreError) {
        guard case .rejected(let code, _) = error, code.hasPrefix("BackupFS.") else { return nil }
        self.init(rawValue: String(code.dropFirst("BackupFS.".count)))
    }
}
