// What reads every row there is: a snapshot, on a connection of its own, and a drill, which has a catalogue of its own.

import Foundation
import GRDB

extension CatalogueReader {
    func someFiles(_ limit: Int) throws(CatalogueError) -> [Resource] {
        try rows(
            """
            SELECT \(Resource.columns) FROM resource
            WHERE kind = 'file' AND status <> 'deleted' AND in_backup = 1 ORDER BY random() LIMIT ?
            """, [limit]
        ).map(Resource.init(row:))
    }

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
