import Catalogue
import Glibc
import Logging
import ObjectStorage

/// The catalogue's record of uploads in parts.
struct UploadRecord: UploadRecorder {
    let catalogue: any ResourceCatalogue
    let logger: Logger

    func began(_ upload: MultipartUpload) async throws(ObjectStoreError) {
        do throws(CatalogueError) {
            // A large file travels meanwhile: one more sync of the disk is nothing beside it.
            try await catalogue.changeLater(.powerLoss, .beginMultipartUpload(key: upload.key, id: upload.id))
        } catch {
            throw Self.storeError(error)
        }
    }

    func ended(_ upload: MultipartUpload) async {
        do throws(CatalogueError) {
            try await catalogue.changeLater(.processCrash, .endMultipartUpload(key: upload.key, id: upload.id))
        } catch {
            logger.debug("an upload that has ended is still on record", metadata: ["error": "\(error)"])
        }
    }

    func recorded() async throws(ObjectStoreError) -> [MultipartUpload] {
        do throws(CatalogueError) {
            return try catalogue.multipartUploads().map { MultipartUpload(key: $0.key, id: $0.id) }
        } catch {
            throw Self.storeError(error)
        }
    }

    private static func storeError(_ error: CatalogueError) -> ObjectStoreError {
        if case .diskFull = error { return .localFile(errno: ENOSPC) }
        return .localFile(errno: EIO)
    }
}
