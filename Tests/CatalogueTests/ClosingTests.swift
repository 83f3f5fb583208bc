import Foundation
import Testing

@testable import Catalogue

@Suite("Closing the catalogue")
struct ClosingTests {
    @Test("Reads that come while it closes, or later, fail and harm nothing; so do changes")
    func usedWhileClosing() throws {
        for _ in 1...20 {
            let temporary = try TemporaryCatalogue()
            let catalogue = temporary.catalogue
            let (reading, ended) = (DispatchSemaphore(value: 0), DispatchGroup())
            for _ in 0..<8 {
                ended.enter()
                Thread.detachNewThread {
                    while (try? catalogue.read { reader throws(CatalogueError) in try reader.counts() }) != nil {
                        reading.signal()
                    }
                    ended.leave()
                }
            }
            for _ in 0..<20 { reading.wait() }
            try catalogue.close()
            ended.wait()
            #expect(throws: CatalogueError.self) {
                try catalogue.change(.powerLoss) { writer throws(CatalogueError) in try writer.set("key", to: "value") }
            }
            #expect(throws: CatalogueError.self) {
                try catalogue.read { reader throws(CatalogueError) in try reader.counts() }
            }
        }
    }
}
