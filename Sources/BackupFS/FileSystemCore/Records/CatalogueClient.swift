// The catalogue as the core uses it: with the core's own error, and with a place for what is only noted.

import Catalogue
import Logging
import ObjectStorage

/// The way of every part of the core to the catalogue.
final class CatalogueClient: Sendable {
    let catalogue: ResourceCatalogue
    /// Who is woken when work is recorded.
    let work: WorkSignal
    private let counters: Counters
    private let logger: Logger

    init(_ catalogue: ResourceCatalogue, work: WorkSignal, counters: Counters, logger: Logger) {
        self.catalogue = catalogue
        self.work = work
        self.counters = counters
        self.logger = logger
    }

    /// Reads a consistent snapshot, on this thread.
    func read<Value>(_ body: (CatalogueReader) throws(CatalogueError) -> Value) throws(FileSystemError) -> Value {
        do throws(CatalogueError) { return try catalogue.read(body) } catch { throw .catalogue(error) }
    }

    /// Asks the catalogue beside the readers that lookups need, on no thread of ours.
    func ask<Value: Sendable>(
        _ body: @escaping @Sendable (CatalogueReader) throws(CatalogueError) -> Value
    ) async throws(FileSystemError) -> Value {
        do throws(CatalogueError) { return try await catalogue.ask(body) } catch { throw .catalogue(error) }
    }

    /// Changes the catalogue and waits, on this thread, until that is committed.
    func change<Value: Sendable>(
        _ durability: Durability, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Value
    ) throws(FileSystemError) -> Value {
        do throws(CatalogueError) { return try catalogue.change(durability, body) } catch { throw .catalogue(error) }
    }

    /// Changes the catalogue and suspends until that is committed.
    func changeLater<Value: Sendable>(
        _ durability: Durability, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Value
    ) async throws(FileSystemError) -> Value {
        do throws(CatalogueError) {
            return try await catalogue.changeLater(durability, body)
        } catch {
            throw .catalogue(error)
        }
    }

    /// Returns when all that the catalogue has committed so far survives a power loss.
    func becomesDurable() async throws(FileSystemError) {
        do throws(CatalogueError) { try await catalogue.becomeDurable() } catch { throw .catalogue(error) }
    }

    /// Notes a fact that the next start would find out by itself; a failure is logged.
    ///
    /// `patiently`: nobody asks for it soon, so it may wait for the next change.
    func record(
        _ what: String, patiently: Bool = false,
        _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Void
    ) {
        catalogue.record(patiently: patiently, body) { [self] error in if let error { noteUnrecorded(what, error) } }
    }

    /// Notes that the background has something to do, and wakes it when that is committed: earlier it would not see it.
    func recordWork(_ what: String, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Void) {
        catalogue.record(body) { [self] error in
            if let error { noteUnrecorded(what, error) }
            work.wake()
        }
    }

    private func noteUnrecorded(_ what: String, _ error: CatalogueError) {
        counters.add(\.catalogueFailures)
        logger.error("the catalogue could not record a step", metadata: ["step": "\(what)", "error": "\(error)"])
    }

    /// The live row, or ENOENT.
    func liveRow(_ id: ResourceID) throws(FileSystemError) -> Resource {
        guard let row = try read({ reader throws(CatalogueError) in try reader.resource(id) }) else {
            throw .catalogue(.noSuchResource)
        }
        return row
    }

    /// The version in backup that a row names.
    func storedVersion(of row: Resource) throws(FileSystemError) -> Version? {
        guard let id = row.version else { return nil }
        return try read { reader throws(CatalogueError) in try reader.version(id) }
    }
}
