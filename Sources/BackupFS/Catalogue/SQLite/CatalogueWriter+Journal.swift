import Foundation
import GRDB

extension CatalogueReader {
    func journalBatch(limit: Int) throws(CatalogueError) -> JournalBatch? {
        let entries = try rows("SELECT * FROM outbox ORDER BY sequence LIMIT ?", [limit])
        guard let last = entries.last else { return nil }
        var records: [JournalRecord] = []
        var seen: Set<String> = []
        for entry in entries {
            let entity: String = entry["entity"]
            let owner: Int64 = entry["owner"]
            let name = (entry["name"] as Data?).map(bytes) ?? []
            guard seen.insert("\(entity) \(owner) \(name)").inserted else { continue }
            switch entity {
            case "resource": records.append(try resourceRecord(owner))
            case "name":
                let found = try lookup(Dentry(ResourceID(owner), name))
                records.append(
                    found.map { .name(parent: owner, name: name, resource: $0.id.rawValue) }
                        ?? .removedName(parent: owner, name: name))
            default:
                let attribute = String(decoding: name, as: UTF8.self)
                let value = try xattr(ResourceID(owner), attribute)
                records.append(
                    value.map { .xattr(resource: owner, name: attribute, value: $0) }
                        ?? .removedXattr(resource: owner, name: attribute))
            }
        }
        return JournalBatch(through: last["sequence"], records: records)
    }

    private func resourceRecord(_ id: Int64) throws(CatalogueError) -> JournalRecord {
        guard let resource = try resource(ResourceID(id)) else { return .erasedResource(id: id) }
        var stored: Version?
        if let current = resource.version { stored = try version(current) }
        return .resource(
            .init(
                id: id, kind: resource.kind.rawValue, status: resource.status.rawValue, mode: resource.mode,
                uid: resource.uid, gid: resource.gid, size: resource.size, accessed: resource.accessed,
                modified: resource.modified, changed: resource.changed, createdAt: resource.createdAt,
                deletedAt: resource.deletedAt, target: resource.target.map { Data($0) },
                device: resource.device == 0 ? nil : resource.device, version: stored?.id.description, key: stored?.key,
                sha256: stored.map { Data($0.sha256) }))
    }
}

extension CatalogueWriter {
    func shipped(_ batch: JournalBatch) throws(CatalogueError) {
        try run("DELETE FROM outbox WHERE sequence <= ?", [batch.through])
    }
}
