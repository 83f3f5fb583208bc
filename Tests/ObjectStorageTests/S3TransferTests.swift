import Testing

@testable import ObjectStorage

@Suite("How requests to S3 travel, and end", .timeLimit(.minutes(40)))
struct S3TransferTests {
    @Test("A body that ends too early is no object")
    func truncation() async throws {
        try await CannedS3.with { _ in
            .truncated(promised: 100, body: sampleBytes(50))
        } _: { store, _ in
            #expect(await CannedS3.outcome { _ = try await CannedS3.get(store) } == "unreachable")
        }
    }

    @Test("A body that does not say where it ends is no object: nobody knows whether all of it came")
    func unframed() async throws {
        try await CannedS3.with { _ in
            .unframed(body: sampleBytes(50))
        } _: { store, _ in
            #expect(await CannedS3.outcome { _ = try await CannedS3.get(store) } == "unreachable")
        }
    }

    @Test("An answer larger than the limit is cut off, not stored")
    func tooLarge() async throws {
        try await CannedS3.with { _ in
            .reply(200, body: sampleBytes(2_000_000))
        } _: { store, _ in
            let target = try TemporaryFile()
            let found = await CannedS3.outcome {
                _ = try await store.get("a", into: target.descriptor, limit: 1000, deadline: .farAway)
            }
            #expect(found == "corrupted")
            #expect(try target.contents.count <= 1000)
        }
    }

    @Test("A reset connection and one that nobody accepts are unreachable")
    func noConnection() async throws {
        try await CannedS3.with { _ in
            .reset
        } _: { store, _ in
            #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "unreachable")
        }
        let store = try CannedS3.store("http://127.0.0.1:\(try CannedServer.unusedPort())")
        #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "unreachable")
    }

    @Test("A server that never answers costs no more than the deadline")
    func hang() async throws {
        try await CannedS3.with { _ in
            .hang
        } _: { store, _ in
            // A stalled transfer that was given up after its 30 s would be `unreachable`.
            #expect(await CannedS3.outcome { try await CannedS3.put(store, deadline: .soon) } == "deadlineExceeded")
            #expect(await CannedS3.outcome { _ = try await CannedS3.get(store, deadline: .soon) } == "deadlineExceeded")
            #expect(await CannedS3.outcome { try await store.check(deadline: .soon) } == "deadlineExceeded")
        }
    }

    @Test("While 500 uploads hang, a recovery goes through")
    func reservedTransfers() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await CannedS3.with { request in
            guard request.method == "PUT" else { return .reply(200, body: [9]) }
            arrival.yield()
            return .hang
        } _: { store, server in
            let outcomes = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<500 {
                    group.addTask {
                        await CannedS3.outcome { try await CannedS3.put(store, deadline: CannedS3.tooFar) }
                    }
                }
                // All transfers that uploads may have are taken: three of four.
                var iterator = arrivals.makeAsyncIterator()
                for _ in 1...3 { await iterator.next() }
                #expect(try await CannedS3.get(store, deadline: CannedS3.tooFar) == [9])
                #expect(server.requests.count { $0.method == "PUT" } == 3)
                server.stop()
                return try await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(outcomes == Array(repeating: "unreachable", count: 500))
        }
    }

    @Test("Requests that wait for a transfer end at their deadline too, although none becomes free")
    func queuedDeadline() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await CannedS3.with(timeouts: TransferTimeouts(firstByte: .seconds(3600))) { _ in
            arrival.yield()
            return .hang
        } _: { store, server in
            let patient = (0..<3).map { _ in
                Task { await CannedS3.outcome { try await CannedS3.put(store, deadline: CannedS3.tooFar) } }
            }
            var iterator = arrivals.makeAsyncIterator()
            for _ in patient { await iterator.next() }
            let outcomes = await withTaskGroup(of: String?.self) { group in
                let deadline = ContinuousClock.Instant.soon
                for _ in 0..<50 {
                    group.addTask { await CannedS3.outcome { try await CannedS3.put(store, deadline: deadline) } }
                }
                return await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(outcomes == Array(repeating: "deadlineExceeded", count: 50))
            #expect(server.requests.count == 3)
            server.stop()
            for task in patient { #expect(await task.value == "unreachable") }
        }
    }

    @Test("A cancelled request ends long before its deadline, waiting or running")
    func cancellation() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await CannedS3.with { _ in
            arrival.yield()
            return .hang
        } _: { store, _ in
            let tasks = (0..<10).map { _ in
                Task { await CannedS3.outcome { try await CannedS3.put(store, deadline: CannedS3.tooFar) } }
            }
            var iterator = arrivals.makeAsyncIterator()
            for _ in 1...3 { await iterator.next() }
            for task in tasks { task.cancel() }
            for task in tasks { #expect(await task.value == "deadlineExceeded") }
        }
    }

    @Test("A put is one plain request: length, checksums, metadata, no Expect, and no secret")
    func request() async throws {
        try await CannedS3.with { _ in
            .reply(200)
        } _: { store, server in
            let file = try TemporaryFile(sampleBytes(300_000))
            let attributes = ObjectAttributes(contentType: "image/jpeg", metadata: ["mode": "33188", "empty": ""])
            try await store.put("d/a b+c~1.jpg", try file.body(), attributes, deadline: .farAway)
            let request = try #require(server.requests.first)
            let digests = BodyDigests(of: sampleBytes(300_000))
            #expect(request.target == "/photos/shop/d/a%20b%2Bc~1.jpg")
            #expect(request.body == sampleBytes(300_000))
            #expect(request.headers["content-md5"] == base64(digests.md5))
            #expect(request.headers["x-amz-content-sha256"] == digests.sha256Hex)
            #expect(request.headers["content-type"] == "image/jpeg")
            #expect(request.headers["x-amz-meta-mode"] == "33188")
            #expect(request.headers["x-amz-meta-empty"] == "")
            #expect(request.headers["expect"] == nil)
            #expect(request.headers["transfer-encoding"] == nil)
            #expect(!"\(request)".contains("CANARY"))
        }
    }

    @Test(
        "S5: metadata that a header cannot hold is refused before anything is sent",
        arguments: ["a\r\nb: c", "ä", "a\0"])
    func hostileMetadata(_ value: String) async throws {
        try await CannedS3.with { _ in
            .reply(200)
        } _: { store, server in
            let found = await CannedS3.outcome {
                try await store.put(
                    "a", .bytes([]), ObjectAttributes(metadata: ["path": value]), deadline: .farAway)
            }
            #expect(found == "rejected")
            #expect(server.requests.isEmpty)
        }
    }

    @Test("A file that becomes shorter while it is sent has changed")
    func shortFile() async throws {
        try await CannedS3.with { _ in
            .reply(200)
        } _: { store, _ in
            let file = try TemporaryFile(sampleBytes(10_000))
            let body = try file.body()
            try LocalFile(file.descriptor).truncate(to: 5000)
            let found = await CannedS3.outcome {
                try await store.put("a", body, ObjectAttributes(), deadline: .farAway)
            }
            #expect(found == "contentChanged")
        }
    }
}
