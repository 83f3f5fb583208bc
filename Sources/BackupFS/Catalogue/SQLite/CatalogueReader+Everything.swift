// A snapshot reads every row there is, on a connection of its own. It is the only one that does.

import Foundation
import GRDB

extension CatalogueReader {
    func everything(_ receive: (JournalRecord) -> Void) throws(CatalogueError) {
        let live = """
            SELECT \(Self.recordedResource) WHERE resource.status <> 'deleted' OR resource.version IS NOT NULL
                OR EXISTS (SELECT 1 FROM version AS kept WHERE kept.resource = resource.id AND kept_until IS NOT NULL)
            ORDER BY resource.id
            """
        try each(live) { receive(.resource(.init(row: $0))) }
        // In the order in which they are listed.
        try each("SELECT parent, name, resource FROM name ORDER BY cookie") {
            receive(.name(parent: $0[0], name: bytes($0[1]), resource: $0[2]))
        }
        try each("SELECT resource, name, value FROM xattr") {
            receive(.xattr(resource: $0[0], name: bytes($0[1]), value: bytes($0[2])))
        }
        try each("SELECT * FROM version WHERE kept_until IS NOT NULL") { receive(.version(.init(row: $0))) }
    }
}
