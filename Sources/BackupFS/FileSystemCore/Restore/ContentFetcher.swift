import Catalogue
import Linux
import ObjectStorage

/// Fetches contents for a copy, each compared with the checksum of its upload.
struct ContentFetcher: Sendable {
    /// Contents that are fetched at a time: small ones are mostly waited for.
    static let width = 32
    private static let attempts = 3

    let catalogue: CatalogueClient
    let store: any ObjectStore
    let settings: FileSystemSettings

    init(_ storages: Storages) {
        catalogue = storages.catalogue
        store = storages.store
        settings = storages.settings
    }

    /// Fills an empty file with the content that a row names; throws if it cannot be had as it was uploaded.
    func fetch(_ row: Resource, into file: Descriptor) async throws(FileSystemError) {
        guard row.inBackup, let version = try catalogue.storedVersion(of: row) else { throw .inNoStorage }
        do throws(ObjectStoreError) {
            try await fetch(version, into: file)
        } catch .localFile(let code) {
            throw .main(errno: code, during: "storing a file")
        } catch {
            throw .backup(error)
        }
    }

    private func fetch(_ version: Version, into file: Descriptor) async throws(ObjectStoreError) {
        var damage = ObjectStoreError.notFound(key: version.key)
        for _ in 1...Self.attempts {
            do throws(ObjectStoreError) {
                return try await store.get(
                    version, into: file.number, deadline: settings.deadline(size: version.size))
            } catch {
                guard case .corrupted = error else { throw error }
                damage = error
            }
        }
        throw damage
    }
}
