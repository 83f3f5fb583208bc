import Testing

@testable import Catalogue

@Suite("The record of uploads in parts")
struct MultipartUploadTests {
    @Test("Uploads are on record until they end; a key may have several")
    func record() throws {
        let temporary = try TemporaryCatalogue()
        let catalogue = temporary.catalogue
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.beginMultipartUpload(key: "b", id: "1")
            try writer.beginMultipartUpload(key: "a", id: "2")
            try writer.beginMultipartUpload(key: "a", id: "1")
            try writer.beginMultipartUpload(key: "a", id: "1")
            try writer.endMultipartUpload(key: "b", id: "2")
        }
        func found() throws -> [String] {
            try catalogue.read { reader throws(CatalogueError) in
                try reader.multipartUploads().map { "\($0.key) \($0.id)" }
            }
        }
        #expect(try found() == ["a 1", "a 2", "b 1"])
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.endMultipartUpload(key: "a", id: "1")
        }
        #expect(try found() == ["a 2", "b 1"])
    }
}
