// What the operator wants of the objects themselves: how they are cut, where the server keeps them, how it encrypts them.

import Foundation
import Linux

/// How objects are stored.
struct S3ObjectOptions: Sendable {
    /// What S3 allows in a part, in bytes.
    private static let partSizes: ClosedRange<Int64> = (5 << 20)...(5 << 30)

    /// Classes whose objects cannot be read at once (AWS: restoring an archived object).
    private static let archives: Set<String> = ["GLACIER", "DEEP_ARCHIVE"]

    /// Sent with what creates an object.
    let creationHeaders: [(name: String, value: String)]
    /// Sent with everything that moves an object's bytes or asks for them: the customer's key.
    let accessHeaders: [(name: String, value: String)]
    let cut: PartLayout.Cut
    /// In bytes a second, both directions together; nil: no limit.
    let bandwidthLimit: Int64?

    /// Throws an error that names the setting.
    init(_ options: StoreOptions, isSecure: Bool) throws(StoreConfigurationError) {
        if let size = options.partSize, !Self.partSizes.contains(size) {
            throw .invalidSetting(name: "the size of parts", reason: "S3 allows 5 MiB to 5 GiB")
        }
        if let limit = options.bandwidthLimit, limit < 1024 {
            throw .invalidSetting(name: "the bandwidth limit", reason: "it must be 1 KiB a second or more")
        }
        cut = PartLayout.Cut(preferred: options.partSize ?? PartLayout.usualSize)
        bandwidthLimit = options.bandwidthLimit
        var headers: [(name: String, value: String)] = []
        if let storageClass = options.storageClass {
            try Self.check(storageClass, "the storage class")
            if Self.archives.contains(storageClass.uppercased()) {
                throw .invalidSetting(
                    name: "the storage class \(storageClass)",
                    reason:
                        "a lost file could not be fetched: such objects must be brought back by hand for hours before "
                        + "they can be read; take STANDARD_IA or GLACIER_IR")
            }
            headers.append(("x-amz-storage-class", storageClass))
        }
        var access: [(name: String, value: String)] = []
        switch options.encryption {
        case nil: break
        case .aes256: headers.append(("x-amz-server-side-encryption", "AES256"))
        case .keyService(let keyID):
            headers.append(("x-amz-server-side-encryption", "aws:kms"))
            if let keyID {
                try Self.check(keyID, "the id of the encryption key")
                headers.append(("x-amz-server-side-encryption-aws-kms-key-id", keyID))
            }
        case .customer(let path):
            guard isSecure else {
                throw .invalidSetting(name: "the encryption", reason: "a key of your own is sent over https only")
            }
            access = Self.headers(customerKey: try Self.customerKey(path))
        }
        creationHeaders = headers
        accessHeaders = access
    }

    static func headers(customerKey key: [UInt8]) -> [(name: String, value: String)] {
        let name = "x-amz-server-side-encryption-customer"
        return [
            ("\(name)-algorithm", "AES256"), ("\(name)-key", base64(key)),
            ("\(name)-key-md5", base64(BodyDigests(of: key).md5)),
        ]
    }

    /// The key in a file that only its owner can read: 32 bytes, or those in base64.
    private static func customerKey(_ path: String) throws(StoreConfigurationError) -> [UInt8] {
        func refusal(_ reason: String) -> StoreConfigurationError {
            .invalidSetting(name: "the encryption", reason: "the key file \(path): \(reason)")
        }
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(path, longest: 256, isPrivate: true)
        } catch {
            throw refusal("\(error)")
        }
        if bytes.count == 32 { return bytes }
        let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        guard let key = Data(base64Encoded: text), key.count == 32 else {
            throw refusal("it holds neither 32 bytes nor 32 bytes in base64")
        }
        return [UInt8](key)
    }

    private static func check(_ value: String, _ name: String) throws(StoreConfigurationError) {
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .invalidSetting(name: name, reason: "it holds a character that no header can have")
        }
    }
}

extension S3ObjectOptions: CustomStringConvertible, CustomReflectable {
    /// Says nothing: the headers hold a secret.
    var description: String { "S3ObjectOptions(redacted)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
