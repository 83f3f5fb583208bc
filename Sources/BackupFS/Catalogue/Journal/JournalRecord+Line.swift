// A record as a line of a segment, and back (docs/BUCKET.md).

extension JournalRecord {
    func write(into line: inout JSONLineWriter) {
        switch self {
        case .resource(let state):
            line.add("entity", "resource")
            state.write(into: &line)
        case .erasedResource(let id):
            line.add("entity", "resource")
            line.add(flag: "removed")
            line.add("id", id)
        case .name(let parent, let name, let resource):
            line.add("entity", "name")
            line.add("parent", parent)
            line.add("name", "name64", name: name)
            line.add("id", resource)
        case .removedName(let parent, let name):
            line.add("entity", "name")
            line.add(flag: "removed")
            line.add("parent", parent)
            line.add("name", "name64", name: name)
        case .xattr(let resource, let name, let value):
            line.add("entity", "xattr")
            line.add("id", resource)
            line.add("name", "name64", name: name)
            line.add("value", base64: value)
        case .removedXattr(let resource, let name):
            line.add("entity", "xattr")
            line.add(flag: "removed")
            line.add("id", resource)
            line.add("name", "name64", name: name)
        case .version(let state):
            line.add("entity", "version")
            line.add("id", state.resource)
            state.content.write(into: &line)
            line.add("createdAt", state.createdAt)
            line.add("keptUntil", state.keptUntil)
        case .removedVersion(let id):
            line.add("entity", "version")
            line.add(flag: "removed")
            line.add("version", id)
        }
    }

    /// nil: it is about something that this program does not know.
    init?(_ line: inout JSONLine) throws(SegmentError) {
        guard let entity = line.bytes("entity") else { throw .damaged }
        let isRemoved = line.flag("removed")
        let record: JournalRecord?
        switch String(decoding: entity, as: UTF8.self) {
        case "resource" where isRemoved: record = line.number("id").map { .erasedResource(id: $0) }
        case "resource": record = ResourceRecord(&line).map { .resource($0) }
        case "name": record = Self.name(&line, isRemoved)
        case "xattr": record = Self.xattr(&line, isRemoved)
        case "version" where isRemoved: record = line.text("version").map { .removedVersion(id: $0) }
        case "version": record = VersionRecord(&line).map { .version($0) }
        default: return nil
        }
        guard let record else { throw .damaged }
        self = record
    }

    private static func name(_ line: inout JSONLine, _ isRemoved: Bool) -> JournalRecord? {
        guard let parent = line.number("parent"), let name = line.name("name", "name64") else { return nil }
        if isRemoved { return .removedName(parent: parent, name: name) }
        return line.number("id").map { .name(parent: parent, name: name, resource: $0) }
    }

    private static func xattr(_ line: inout JSONLine, _ isRemoved: Bool) -> JournalRecord? {
        guard let id = line.number("id"), let name = line.name("name", "name64") else { return nil }
        if isRemoved { return .removedXattr(resource: id, name: name) }
        return line.base64("value").map { .xattr(resource: id, name: name, value: $0) }
    }
}

extension JournalRecord.Content {
    func write(into line: inout JSONLineWriter) {
        line.add("version", id)
        line.add("key", key)
        line.add("length", size)
        line.add("sha256", base64: sha256)
        line.add("seq", point?.description)
    }

    init?(_ line: inout JSONLine) {
        guard let id = line.text("version"), let key = line.text("key"), let size = line.number("length"),
            let sha256 = line.base64("sha256"), sha256.count == 32, size >= 0, (1...64).contains(id.utf8.count),
            !key.isEmpty
        else { return nil }
        self.init(
            id: id, key: key, size: size, sha256: sha256, point: line.text("seq").flatMap { ChangePoint($0) })
    }
}

extension JournalRecord.ResourceRecord {
    func write(into line: inout JSONLineWriter) {
        line.add("id", id)
        line.add("kind", kind.rawValue)
        line.add("status", status.rawValue)
        line.add("mode", Int64(mode))
        line.add("uid", Int64(uid))
        line.add("gid", Int64(gid))
        line.add("size", size)
        line.add("accessed", accessed)
        line.add("modified", modified)
        line.add("changed", changed)
        line.add("createdAt", createdAt)
        if let target { line.add("target", "target64", name: target) }
        if device != 0 { line.add("device", Int64(bitPattern: device)) }
        if let deletion {
            line.add("deletedAt", deletion.time)
            if let dentry = deletion.dentry {
                line.add("parent", dentry.parent.rawValue)
                line.add("name", "name64", name: dentry.name)
            }
        }
        content?.write(into: &line)
        if versionNumber != 0 { line.add("versions", versionNumber) }
    }

    /// nil if it cannot be a resource of this file system.
    init?(_ line: inout JSONLine) {
        guard let id = line.number("id"), id > 0,
            let kind = line.text("kind").flatMap({ Resource.Kind(rawValue: $0) }),
            let status = line.text("status").flatMap({ Resource.Status(rawValue: $0) }),
            let mode = line.number("mode"), (0...0o7777).contains(mode),
            let uid = line.number("uid").flatMap({ UInt32(exactly: $0) }),
            let gid = line.number("gid").flatMap({ UInt32(exactly: $0) }),
            let size = line.number("size"), size >= 0, let accessed = line.number("accessed"),
            let modified = line.number("modified"), let changed = line.number("changed"),
            let createdAt = line.number("createdAt")
        else { return nil }
        let target = line.name("target", "target64")
        guard kind != .symlink || target?.isEmpty == false && target?.contains(0) == false else { return nil }
        self.init(
            id: id, kind: kind, status: status, mode: UInt32(mode), uid: uid, gid: gid, size: size, accessed: accessed,
            modified: modified, changed: changed, createdAt: createdAt, target: target,
            device: UInt64(bitPattern: line.number("device") ?? 0), versionNumber: line.number("versions") ?? 0)
        if line.value("version") != nil {
            guard kind == .file, let content = JournalRecord.Content(&line) else { return nil }
            self.content = content
        }
        guard (status == .deleted) == (line.number("deletedAt") != nil) else { return nil }
        if let time = line.number("deletedAt") {
            var dentry: Dentry?
            if let parent = line.number("parent"), let name = line.name("name", "name64") {
                dentry = Dentry(ResourceID(parent), name)
            }
            deletion = JournalRecord.Deletion(time: time, dentry: dentry)
        }
    }
}

extension JournalRecord.VersionRecord {
    init?(_ line: inout JSONLine) {
        guard let resource = line.number("id"), let content = JournalRecord.Content(&line),
            let createdAt = line.number("createdAt"), let keptUntil = line.number("keptUntil")
        else { return nil }
        self.init(resource: resource, content: content, createdAt: createdAt, keptUntil: keptUntil)
    }
}
