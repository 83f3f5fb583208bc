// A file with credentials as s3fs reads it: lines KEY:SECRET, or BUCKET:KEY:SECRET for one bucket; # starts a comment.

import Glibc
import Linux

enum PasswdFile {
    private static let longest = 64 * 1024

    /// The credentials for a bucket: the line with its name, else the one without any.
    ///
    /// Throws `.passwdFile` if others than the owner may read or write the file, or if no line fits.
    static func credentials(_ path: String, bucket: String) throws(StoreConfigurationError) -> S3Credentials {
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(path, longest: longest, isPrivate: true)
        } catch {
            throw .passwdFile(path: path, reason: "\(error)")
        }
        var common: S3Credentials?
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) where !line.hasPrefix("#")
        {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false).map {
                String($0.drop(while: \.isWhitespace).prefix { !$0.isWhitespace })
            }
            switch fields.count {
            case 3 where fields[0] == bucket: return S3Credentials(accessKey: fields[1], secretKey: fields[2])
            case 2: common = common ?? S3Credentials(accessKey: fields[0], secretKey: fields[1])
            default: continue
            }
        }
        guard let common, !common.accessKey.isEmpty, !common.secretKey.isEmpty else {
            throw .passwdFile(path: path, reason: "no line has the form KEY:SECRET or \(bucket):KEY:SECRET")
        }
        return common
    }
}
