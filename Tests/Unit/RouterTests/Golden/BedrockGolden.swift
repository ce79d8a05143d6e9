import RouterService

/// What Bedrock answers look like on the wire, and what they mean.
enum BedrockGolden {
    static let answers: [GoldenAnswer] = [
        .init(
            name: "text with details of usage", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"Hel"}}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"lo ü"}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":0}"#),
                (#"messageStop"#, #"{"stopReason":"end_turn"}"#),
                (
                    #"metadata"#,
                    #"{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}"#
                ),
            ]),
            expected: #"""
                text Hel
                text lo ü
                finish stop end_turn
                usage in=17 out=5 cached=3 written=4 hour=2
                over, complete
                """#),
        .init(
            name: "reasoning with signature, withheld reasoning, then text", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"sig"}}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":0}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"YmxvYg=="}}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":1}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":2,"delta":{"text":"Hi"}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":2}"#),
                (#"messageStop"#, #"{"stopReason":"end_turn"}"#),
                (
                    #"metadata"#,
                    #"{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}"#
                ),
            ]),
            expected: #"""
                thinking hm
                signature sig
                redacted YmxvYg==
                text Hi
                finish stop end_turn
                usage in=17 out=5 cached=3 written=4 hour=2
                over, complete
                """#),
        .init(
            name: "parallel calls, one without arguments", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockStart"#, #"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"tooluse_a","name":"f"}}}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"x\""}}}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"toolUse":{"input":":1}"}}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":0}"#),
                (#"contentBlockStart"#, #"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"tooluse_b","name":"g"}}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":1}"#),
                (#"messageStop"#, #"{"stopReason":"tool_use"}"#),
                (
                    #"metadata"#,
                    #"{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}"#
                ),
            ]),
            expected: #"""
                call 0 tooluse_a f
                arguments 0 {"x"
                arguments 0 :1}
                call 1 tooluse_b g
                arguments 1 {}
                finish toolCalls tool_use
                usage in=17 out=5 cached=3 written=4 hour=2
                over, complete
                """#),
        .init(
            name: "a stop sequence the model tells of", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":0}"#),
                (#"messageStop"#, #"{"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}}"#),
                (
                    #"metadata"#,
                    #"{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}"#
                ),
            ]),
            expected: #"""
                text a
                finish stop stop_sequence END
                usage in=17 out=5 cached=3 written=4 hour=2
                over, complete
                """#),
        .init(
            name: "the limit, without metadata", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
                (#"messageStop"#, #"{"stopReason":"max_tokens"}"#),
            ]),
            expected: #"""
                text a
                finish length max_tokens
                complete
                """#),
        .init(
            name: "a guardrail", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"Blocked."}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":0}"#),
                (#"messageStop"#, #"{"stopReason":"guardrail_intervened"}"#),
                (
                    #"metadata"#,
                    #"{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}"#
                ),
            ]),
            expected: #"""
                text Blocked.
                finish contentFilter guardrail_intervened
                usage in=17 out=5 cached=3 written=4 hour=2
                over, complete
                """#),
        .init(
            name: "a call the model could not write", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"messageStop"#, #"{"stopReason":"malformed_tool_use"}"#),
            ]),
            expected: #"""
                fault: provider 500 malformed_tool_use: the answer ended with stopReason malformed_tool_use
                """#),
        .init(
            name: "an exception in mid-stream", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
                (#"throttlingException"#, #"{"message":"Too many tokens, please wait before trying again."}"#),
            ]),
            expected: #"""
                text a
                fault: provider 429 throttlingException: Too many tokens, please wait before trying again.
                """#),
        .init(
            name: "a validation exception", dialect: .bedrock,
            wire: .frames([
                (#"validationException"#, #"{"message":"Input is too long for requested model."}"#)
            ]),
            expected: #"""
                fault: provider 400 validationException: Input is too long for requested model.
                """#),
        .init(
            name: "metadata before the end", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
                (
                    #"metadata"#,
                    #"{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}"#
                ),
                (#"contentBlockStop"#, #"{"contentBlockIndex":0}"#),
            ]),
            expected: #"""
                text a
                usage in=17 out=5 cached=3 written=4 hour=2
                incomplete
                """#),
        .init(
            name: "a block that is no text", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"citation":{"title":"t"}}}"#),
                (#"contentBlockStop"#, #"{"contentBlockIndex":0}"#),
                (#"messageStop"#, #"{"stopReason":"end_turn"}"#),
                (
                    #"metadata"#,
                    #"{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}"#
                ),
            ]),
            expected: #"""
                text a
                delta {"citation":{"title":"t"}}
                finish stop end_turn
                usage in=17 out=5 cached=3 written=4 hour=2
                over, complete
                """#),
        .init(
            name: "arguments without a call", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}"#),
            ]),
            expected: #"""
                fault: malformed, sent arguments of a tool call that is not open
                """#),
        .init(
            name: "content after the end", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"messageStop"#, #"{"stopReason":"end_turn"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
            ]),
            expected: #"""
                finish stop end_turn
                fault: malformed, went on after the end of its answer
                """#),
        .init(
            name: "messageStart again in mid-answer", dialect: .bedrock,
            wire: .frames([
                (#"messageStart"#, #"{"role":"assistant"}"#),
                (#"contentBlockDelta"#, #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
                (#"messageStart"#, #"{"role":"assistant"}"#),
            ]),
            expected: #"""
                text a
                fault: malformed, began its answer twice
                """#),
        .init(
            name: "a whole answer", dialect: .bedrock,
            wire: .whole(
                #"""
                {"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"text":"Hi"},{"toolUse":{"toolUseId":"t","name":"f","input":{"x":1}}},{"toolUse":{"toolUseId":"u","name":"g","input":{}}}]}},"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":22,"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"cacheDetails":[{"ttl":"1h","inputTokens":2}]},"metrics":{"latencyMs":9}}
                """#),
            expected: #"""
                thinking hm
                signature sig
                text Hi
                call 0 t f
                arguments 0 {"x":1}
                call 1 u g
                arguments 1 {}
                finish toolCalls tool_use
                usage in=17 out=5 cached=3 written=4 hour=2
                over, complete
                """#),
        .init(
            name: "an error with status 200", dialect: .bedrock,
            wire: .whole(
                #"""
                {"message":"The model is not ready."}
                """#),
            expected: #"""
                fault: provider 500 : The model is not ready.
                """#),
        .init(
            name: "an exception with status 200", dialect: .bedrock,
            wire: .whole(
                #"""
                {"__type":"com.amazon.coral.service#ThrottlingException","message":"Slow down"}
                """#),
            expected: #"""
                fault: provider 429 ThrottlingException: Slow down
                """#),
        .init(
            name: "no stopReason", dialect: .bedrock,
            wire: .whole(
                #"""
                {"output":{"message":{"content":[{"text":"a"}]}}}
                """#),
            expected: #"""
                fault: malformed, sent an answer without stopReason
                """#),
    ]
}
