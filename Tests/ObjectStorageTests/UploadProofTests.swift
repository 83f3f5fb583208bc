import Testing

@testable import ObjectStorage

@Suite("What a server checks is found out once", .timeLimit(.minutes(40)))
struct UploadProofTests {
    @Test(
        "Each server's own checks are found, and nothing of the trial is left",
        arguments: [
            (CannedBucket.Checks(), "uploads are proven by Content-MD5, the ETag"),
            (.init(md5: true, isETagMD5: false), "uploads are proven by Content-MD5"),
            (.init(md5: false), "uploads are proven by the ETag"),
            (.init(md5: false, isETagMD5: false, payload: true), "uploads are proven by the signed SHA-256"),
            (.init(md5: false, isETagMD5: false, checksum: true), "uploads are proven by x-amz-checksum-sha256"),
            (
                .init(md5: false, isETagMD5: false),
                "uploads are read back, because the server checks none of the checksums sent with them"
            ),
        ])
    func findings(_ checks: CannedBucket.Checks, _ line: String) async throws {
        let bucket = CannedBucket(checks)
        try await bucket.with { store, server in
            #expect(store.proof == nil)
            try await store.check(deadline: .farAway)
            #expect(store.proof == line)
            #expect(bucket.keys == [])
            #expect(
                server.requests.allSatisfy {
                    !$0.target.contains("shop") || $0.target.contains("shop%2F")
                        || $0.target.hasPrefix("/photos/shop/.backupfs/check/")
                })
            let count = server.requests.count
            try await store.check(deadline: .farAway)
            #expect(server.requests.count == count + 1)
        }
    }

    @Test("A trial without an answer leaves the question open, and the check passes", arguments: [403, 503])
    func unanswered(status: Int) async throws {
        let bucket = CannedBucket()
        try await bucket.with { request, bucket in
            request.method == "PUT" ? .reply(status) : bucket(request)
        } _: { store, _ in
            try await store.check(deadline: .farAway)
            #expect(store.proof == nil)
        }
    }

    @Test("Only a server that checks nothing else gets the additional checksum")
    func additionalChecksum() async throws {
        for (checks, isSent) in [
            (CannedBucket.Checks(checksum: true), false), (.init(md5: false, isETagMD5: false, checksum: true), true),
        ] {
            try await CannedBucket(checks).with { store, server in
                try await store.check(deadline: .farAway)
                try await CannedS3.put(store)
                let put = try #require(server.requests.last)
                #expect((put.headers["x-amz-checksum-sha256"] != nil) == isSent)
                #expect(put.method == "PUT")
            }
        }
    }

    @Test("A body damaged on the way is found with every kind of proof, large or small", arguments: [true, false])
    func readBackOfDamage(isKnown: Bool) async throws {
        try await CannedBucket(.init(md5: false, isETagMD5: false)).with { request, bucket in
            bucket(request.method == "PUT" && request.target.hasSuffix("/a") ? request.damaged : request)
        } _: { store, _ in
            if isKnown { try await store.check(deadline: .farAway) }
            #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "corrupted")
        }
    }
}
