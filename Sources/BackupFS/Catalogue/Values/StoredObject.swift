// What the catalogue says of the bucket, in the order of the keys: the other side of a listing.

/// The object that is the content of a live file, as the catalogue has it.
package struct StoredObject: Sendable {
    /// The version that it holds.
    package var version: Version
    /// Whether the row says that backup has it; false once it was found missing.
    package var inBackup: Bool
}

extension StoredObject {
    /// Comes after every key.
    package static let afterEveryKey = "\u{10FFFF}"
}

/// What a file lives on whose object was lost.
package enum ObjectLoss: Sendable {
    /// Main has it: it is uploaded again.
    case uploadedAgain
    /// Nothing has it.
    case inNoStorage
}
