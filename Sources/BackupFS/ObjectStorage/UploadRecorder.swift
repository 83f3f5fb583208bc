// Uploads in parts outlive the process that began them, and in a bucket they lie among those of others. Which ones are ours
// is known only from a record that is made when one begins: nothing is concluded from a listing.

/// An upload in parts that a server knows.
package struct MultipartUpload: Sendable, Hashable {
    /// The key, relative to the store's prefix.
    package var key: String
    /// The server's name for the upload.
    package var id: String

    package init(key: String, id: String) {
        self.key = key
        self.id = id
    }
}

/// Keeps the uploads in parts that were begun and neither finished nor aborted, beyond the end of the process.
package protocol UploadRecorder: Sendable {
    /// Takes an upload in, before its first part is sent; if that fails the upload is given up.
    func began(_ upload: MultipartUpload) async throws(ObjectStoreError)

    /// Forgets an upload that was finished or aborted.
    ///
    /// One that cannot be forgotten is aborted once more later, which does no harm.
    func ended(_ upload: MultipartUpload) async

    /// All uploads on record, those of this process too.
    func recorded() async throws(ObjectStoreError) -> [MultipartUpload]
}
