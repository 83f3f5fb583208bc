/// Why a store cannot even be tried: what the operator wrote is not enough or not right.
package enum StoreConfigurationError: Error, Sendable, Equatable {
    /// The backup URL is not one; `reason` says why and what to write.
    case invalidURL(String, reason: String)
    /// The URL holds credentials; it is not repeated here.
    case credentialsInURL
    /// An environment variable is needed and not set; `purpose` says for what.
    case missingVariable(String, purpose: String)
    /// A setting (an option or an environment variable) has a value that cannot be used.
    case invalidSetting(name: String, reason: String)
    /// A file with credentials cannot be used.
    case passwdFile(path: String, reason: String)
}

extension StoreConfigurationError: CustomStringConvertible {
    /// One plain line for an operator, without secrets.
    package var description: String {
        switch self {
        case .invalidURL(let text, let reason): "the backup URL \(text) cannot be used: \(reason)"
        case .credentialsInURL:
            "the backup URL must not hold credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a password file"
        case .missingVariable(let name, let purpose): "\(name) is not set: set it to \(purpose)"
        case .invalidSetting(let name, let reason): "\(name) cannot be used: \(reason)"
        case .passwdFile(let path, let reason): "the password file \(path) cannot be used: \(reason)"
        }
    }
}
