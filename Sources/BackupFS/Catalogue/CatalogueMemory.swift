// What the catalogue said last, kept as long as it is so: a file that the kernel has forgotten costs no question to the database
// when it is known here. Only what was committed is kept, and each change of a row or a name takes out what it makes wrong.
//
// A reader notes the generation before its snapshot begins, and what it read is taken in only if nothing was committed since.
// While a transaction runs, what it touches is taken out at once, and once more after its commit, before its caller hears
// of it: in between a reader of the snapshot before may have put it back.

import Synchronization

/// Rows, names and their places in memory, in front of a database; bounded, the ones longest unused go first.
package final class CatalogueMemory: Sendable {
    /// A directory entry.
    private struct Name {
        var resource: ResourceID
        var dentry: Dentry
    }

    /// Half of the memory; a full one takes the place of the other, whose content is forgotten.
    private struct Shelf {
        var rows: [ResourceID: Resource] = [:]
        /// Resources that have no extended attribute.
        var bare: Set<ResourceID> = []
        /// Entries by their position in a listing, which is theirs alone.
        var names: [Int64: Name] = [:]
        /// The entries that come first of their resources.
        var locations: [ResourceID: Int64] = [:]
        var children: [Dentry: Int64] = [:]

        mutating func take(_ name: Name, _ cookie: Int64, isFirst: Bool) {
            names[cookie] = name
            children[name.dentry] = cookie
            if isFirst { locations[name.resource] = cookie }
        }

        mutating func forgetName(_ cookie: Int64) {
            guard let name = names.removeValue(forKey: cookie) else { return }
            children[name.dentry] = nil
            if locations[name.resource] == cookie { locations[name.resource] = nil }
        }
    }

    private struct State {
        var young = Shelf()
        var old = Shelf()
        /// Grows with each commit.
        var generation: UInt64 = 0
        /// What the running transaction has touched.
        var touchedRows: Set<ResourceID> = []
        var touchedNames: Set<Int64> = []
        /// Those whose extended attributes it has touched.
        var touchedXattrs: Set<ResourceID> = []

        mutating func row(_ id: ResourceID) -> Resource? {
            if let row = young.rows[id] { return row }
            guard let row = old.rows.removeValue(forKey: id) else { return nil }
            young.rows[id] = row
            return row
        }

        mutating func name(_ dentry: Dentry) -> Name? {
            if let cookie = young.children[dentry] { return young.names[cookie] }
            return old.children[dentry].flatMap { promote($0) }
        }

        mutating func location(_ id: ResourceID) -> Name? {
            if let cookie = young.locations[id] { return young.names[cookie] }
            return old.locations[id].flatMap { promote($0) }
        }

        mutating func path(_ id: ResourceID) -> [[UInt8]]? {
            var path: [[UInt8]] = []
            var current = id
            while current != .root {
                guard let step = location(current)?.dentry, path.count < 4096 else { return nil }
                path.append(step.name)
                current = step.parent
            }
            return path.reversed()
        }

        private mutating func promote(_ cookie: Int64) -> Name? {
            guard let name = old.names[cookie] else { return nil }
            let isFirst = old.locations[name.resource] == cookie
            old.forgetName(cookie)
            young.take(name, cookie, isFirst: isFirst)
            return name
        }

        mutating func forgetRow(_ id: ResourceID) {
            young.rows[id] = nil
            old.rows[id] = nil
        }

        mutating func forgetName(_ cookie: Int64) {
            young.forgetName(cookie)
            old.forgetName(cookie)
        }

        mutating func forgetBare(_ id: ResourceID) {
            young.bare.remove(id)
            old.bare.remove(id)
        }
    }

    /// How many rows and names half of it holds, about half a kilobyte each.
    private let capacity: Int
    /// Held for no call.
    private let state = Mutex(State())

    package init(capacity: Int = 16_384) { self.capacity = capacity }

    // MARK: Asked

    /// The row; nil if it is not known.
    func resource(_ id: ResourceID) -> Resource? { state.withLock { $0.row(id) } }

    /// The resource that a name leads to; nil if that is not known.
    func child(_ dentry: Dentry) -> Resource? {
        state.withLock { state in state.name(dentry).flatMap { state.row($0.resource) } }
    }

    /// The first entry of a resource; nil if it is not known.
    func location(of id: ResourceID) -> Dentry? { state.withLock { $0.location(id)?.dentry } }

    /// The names from the root down to it; nil if one of them is not known.
    func path(of id: ResourceID) -> [[UInt8]]? { state.withLock { $0.path(id) } }

    /// The row and the names from the root down to it, of one moment; nil if one of them is not known.
    func resourceAndPath(_ id: ResourceID) -> (row: Resource, path: [[UInt8]])? {
        state.withLock { state in
            guard let row = state.row(id), let path = state.path(id) else { return nil }
            return (row, path)
        }
    }

    /// Whether a resource is known to have no extended attribute.
    func isBare(_ id: ResourceID) -> Bool {
        state.withLock { $0.young.bare.contains(id) || $0.old.bare.contains(id) }
    }

    // MARK: Told by readers

    /// To be noted before a snapshot begins.
    var generation: UInt64 { state.withLock { $0.generation } }

    func keep(_ row: Resource, at generation: UInt64) {
        keep(at: generation) { $0.rows[row.id] = row }
    }

    /// `isFirst`: no other entry of the resource comes before it.
    func keep(_ dentry: Dentry, of resource: ResourceID, cookie: Int64, isFirst: Bool, at generation: UInt64) {
        keep(at: generation) { $0.take(Name(resource: resource, dentry: dentry), cookie, isFirst: isFirst) }
    }

    func keepBare(_ id: ResourceID, at generation: UInt64) { keep(at: generation) { $0.bare.insert(id) } }

    private func keep(at generation: UInt64, _ body: (inout Shelf) -> Void) {
        state.withLock { state in
            guard state.generation == generation else { return }
            body(&state.young)
            if state.young.rows.count + state.young.names.count + state.young.bare.count > capacity {
                (state.old, state.young) = (state.young, Shelf())
            }
        }
    }

    // MARK: Told by the writer

    /// The running transaction changes a row.
    func touchesRow(_ id: ResourceID) {
        state.withLock { state in
            state.touchedRows.insert(id)
            state.forgetRow(id)
        }
    }

    /// The running transaction makes, changes or removes an entry.
    func touchesName(_ cookie: Int64) {
        state.withLock { state in
            state.touchedNames.insert(cookie)
            state.forgetName(cookie)
        }
    }

    /// The running transaction changes the extended attributes of a resource.
    func touchesXattrs(of id: ResourceID) {
        state.withLock { state in
            state.touchedXattrs.insert(id)
            state.forgetBare(id)
        }
    }

    /// Nothing is known any more: the catalogue is closed, and no reader is left.
    func forgetAll() { state.withLock { ($0.young, $0.old) = (Shelf(), Shelf()) } }

    /// The transaction is over, committed or not; nobody was told of it yet.
    func transactionEnded() {
        state.withLock { state in
            state.generation += 1
            for id in state.touchedRows { state.forgetRow(id) }
            for cookie in state.touchedNames { state.forgetName(cookie) }
            for id in state.touchedXattrs { state.forgetBare(id) }
            state.touchedRows.removeAll(keepingCapacity: true)
            state.touchedNames.removeAll(keepingCapacity: true)
            state.touchedXattrs.removeAll(keepingCapacity: true)
        }
    }
}
