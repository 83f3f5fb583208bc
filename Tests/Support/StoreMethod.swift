/// One of the deeds of an object store, to choose and to count requests.
package enum StoreMethod: String, Sendable, CaseIterable {
    case check
    case put
    case get
    case head
    case delete
    case list
}

/// One request that reached a store.
package struct StoreRequest: Sendable, Equatable {
    /// What was asked.
    package var method: StoreMethod
    /// The key; the prefix of a `list`; empty for a `check`.
    package var key: String

    package init(_ method: StoreMethod, _ key: String) {
        self.method = method
        self.key = key
    }
}

/// Which keys a fault meets.
package enum KeyPattern: Sendable, Equatable {
    case any
    case exactly(String)
    case prefix(String)
    case containing(String)

    /// Whether `key` is one of them.
    package func matches(_ key: String) -> Bool {
        switch self {
        case .any: true
        case .exactly(let wanted): key == wanted
        case .prefix(let prefix): key.hasPrefix(prefix)
        case .containing(let text): key.contains(text)
        }
    }
}
