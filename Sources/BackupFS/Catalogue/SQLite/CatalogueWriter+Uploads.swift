import GRDB

extension CatalogueWriter {
    func beginMultipartUpload(key: String, id: String) throws(CatalogueError) {
        try run("INSERT INTO multipart_upload (id, key) VALUES (?, ?) ON CONFLICT DO NOTHING", [id, key])
    }

    func endMultipartUpload(key: String, id: String) throws(CatalogueError) {
        try run("DELETE FROM multipart_upload WHERE key = ? AND id = ?", [key, id])
    }
}

extension CatalogueReader {
    func multipartUploads() throws(CatalogueError) -> [(key: String, id: String)] {
        try rows("SELECT key, id FROM multipart_upload ORDER BY key, id", []).map { ($0[0], $0[1]) }
    }
}
