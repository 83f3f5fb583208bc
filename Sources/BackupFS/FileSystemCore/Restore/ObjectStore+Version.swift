import Catalogue
import ObjectStorage

extension ObjectStore {
    /// Fills an empty file with a version's content.
    ///
    /// Throws `.corrupted` if what came is not what was uploaded: it was digested as it came, and is not read again.
    func get(
        _ version: Version, into descriptor: Int32, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        // Nobody has to be asked for nothing.
        let received =
            version.size == 0
            ? ObjectSummary(size: 0, metadata: [:], sha256: BodyDigests(of: []).sha256)
            : try await get(version.key, into: descriptor, limit: version.size, deadline: deadline)
        guard received.size == version.size, received.sha256 == version.sha256 else {
            throw .corrupted(key: version.key, reason: "the checksum is not the one recorded at the upload")
        }
    }
}
