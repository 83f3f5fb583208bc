import GRDB

extension CatalogueWriter {
    /// An upload in parts has begun on the server.
    package func beginMultipartUpload(key: String, id: String) throws(CatalogueError) {
        try run("INSERT INTO multipart_upload (id, key) VALUES (?, ?) ON CONFLICT DO NOTHING", [id, key])
    }

    /// An upload in parts was finished or aborted; one that is not on record is none either way.
    package func endMultipartUpload(key: String, id: String) throws(CatalogueError) {
        try run("DELETE FROM multipart_upload WHERE key = ? AND id = ?", [key, id])
    }
}

extension CatalogueReader {
    /// The uploads in parts that were begun and neither finished nor aborted.
    package func multipartUploads() throws(CatalogueError) -> [(key: String, id: String)] {
        try rows("SELECT key, id FROM multipart_upload ORDER BY key, id", []).map { ($0[0], $0[1]) }
    }
}
