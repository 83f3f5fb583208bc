/// How the S3 server is asked to encrypt objects at rest.
package enum ServerSideEncryption: Sendable, Equatable {
    /// With keys of the server's own.
    case aes256
    /// With a key of its key service; nil: the service's default key.
    case keyService(keyID: String?)
    /// With a key of ours that is sent along, and that this file holds: 32 bytes, or those in base64.
    case customer(keyFile: String)

    /// Reads `AES256`, `aws:kms`, `aws:kms:KEYID` or `customer:FILE`; nil if it is none of them.
    package init?(_ text: String) {
        if text == "AES256" {
            self = .aes256
        } else if text == "aws:kms" {
            self = .keyService(keyID: nil)
        } else if text.hasPrefix("aws:kms:"), text.count > "aws:kms:".count {
            self = .keyService(keyID: String(text.dropFirst("aws:kms:".count)))
        } else if text.hasPrefix("customer:"), text.count > "customer:".count {
            self = .customer(keyFile: String(text.dropFirst("customer:".count)))
        } else {
            return nil
        }
    }
}
