// What nearly every step of the core works on, given to it in one piece.

import ObjectStorage

/// The catalogue, the two storages of files, and the files in use.
struct Storages: Sendable {
    let settings: FileSystemSettings
    let catalogue: CatalogueClient
    let tree: MainTree
    let files: FileTable
    let store: any ObjectStore
    let health: StoreHealth
}

/// A step of the core that works on them.
protocol StorageStep: Sendable {
    var storages: Storages { get }
}

extension StorageStep {
    var settings: FileSystemSettings { storages.settings }
    var catalogue: CatalogueClient { storages.catalogue }
    var tree: MainTree { storages.tree }
    var main: MainStorage { storages.tree.main }
    var files: FileTable { storages.files }
    var store: any ObjectStore { storages.store }
    var health: StoreHealth { storages.health }
}
