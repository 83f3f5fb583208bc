import ObjectStorage
import Synchronization

/// A record of uploads in parts that outlives the stores that use it, as the catalogue does.
package final class UploadMemory: UploadRecorder {
    private let uploads = Mutex<Set<MultipartUpload>>([])
    private let failure: ObjectStoreError?

    /// With a failure nothing can be taken in.
    package init(failure: ObjectStoreError? = nil) {
        self.failure = failure
    }

    package func began(_ upload: MultipartUpload) async throws(ObjectStoreError) {
        if let failure { throw failure }
        _ = uploads.withLock { $0.insert(upload) }
    }

    package func ended(_ upload: MultipartUpload) async {
        _ = uploads.withLock { $0.remove(upload) }
    }

    package func recorded() async throws(ObjectStoreError) -> [MultipartUpload] { uploads.withLock { Array($0) } }

    /// The keys on record, in order.
    package var keys: [String] { uploads.withLock { $0.map(\.key).sorted() } }
}
