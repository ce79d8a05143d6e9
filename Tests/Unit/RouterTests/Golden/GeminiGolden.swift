import RouterService

/// What Gemini answers look like on the wire, and what they mean.
enum GeminiGolden {
    static let answers: [GoldenAnswer] = [
        .init(
            name: "text with cumulative usage", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Hel"}]}}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"totalTokenCount":10}}

                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"lo"}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"IMAGE","tokenCount":2}]}}


                """#),
            expected: #"""
                text Hel
                text lo
                finish stop STOP
                usage in=10 out=8 cached=4 reasoning=5 image-in=2
                over, complete | R1
                """#),
        .init(
            name: "thoughts, then a call with a signature and one without, both without ids", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"hm","thought":true}]}}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"sig"},{"functionCall":{"name":"g"}}]}}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"IMAGE","tokenCount":2}]}}


                """#),
            expected: #"""
                thinking hm
                signature sig
                call 0 call_09490307b5d7dfcc_0_0 f
                arguments 0 {"x":1}
                call 1 call_09490307b5d7dfcc_0_1 g
                arguments 1 {}
                finish toolCalls STOP
                usage in=10 out=8 cached=4 reasoning=5 image-in=2
                over, complete | R1
                """#),
        .init(
            name: "a call with an id", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"id":"own","name":"f","args":{}}}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1"}


                """#),
            expected: #"""
                call 0 own f
                arguments 0 {}
                finish toolCalls STOP
                complete | R1
                """#),
        .init(
            name: "a signature at the end of a text", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Hi"}]}}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"","thoughtSignature":"sig"}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1"}


                """#),
            expected: #"""
                text Hi
                signature sig
                finish stop STOP
                complete | R1
                """#),
        .init(
            name: "an image and code the model ran", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"1"}}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1"}


                """#),
            expected: #"""
                block {"inlineData":{"mimeType":"image/png","data":"QUJD"}}
                block {"executableCode":{"language":"PYTHON","code":"1"}}
                finish stop STOP
                complete | R1
                """#),
        .init(
            name: "two candidates", dialect: .gemini, choices: 2,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"a"}]}}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":1,"content":{"role":"model","parts":[{"text":"b"}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"finishReason":"MAX_TOKENS"}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"IMAGE","tokenCount":2}]}}


                """#),
            expected: #"""
                text a
                [1] text b
                [1] finish stop STOP
                finish length MAX_TOKENS
                usage in=10 out=8 cached=4 reasoning=5 image-in=2
                over, complete | R1
                """#),
        .init(
            name: "a prompt that is blocked", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4},"responseId":"R1"}


                """#),
            expected: #"""
                fault: provider 400 content_policy_violation: the prompt was blocked: SAFETY | R1
                """#),
        .init(
            name: "an answer that is cut for safety", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"a"}]}}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"finishReason":"SAFETY"}],"modelVersion":"g","responseId":"R1"}


                """#),
            expected: #"""
                text a
                finish contentFilter SAFETY
                complete | R1
                """#),
        .init(
            name: "a call the model could not write", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"finishReason":"MALFORMED_FUNCTION_CALL"}],"modelVersion":"g","responseId":"R1","finishMessage":"x"}


                """#),
            expected: #"""
                fault: provider 500 MALFORMED_FUNCTION_CALL: the answer ended with finishReason MALFORMED_FUNCTION_CALL | R1
                """#),
        .init(
            name: "an error in mid-stream", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"a"}]}}],"modelVersion":"g","responseId":"R1"}

                data: {"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}


                """#),
            expected: #"""
                text a
                fault: provider 503 UNAVAILABLE: The model is overloaded. | R1
                """#),
        .init(
            name: "no finishReason at the end", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"a"}]}}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"IMAGE","tokenCount":2}]}}


                """#),
            expected: #"""
                text a
                usage in=10 out=8 cached=4 reasoning=5 image-in=2
                incomplete | R1
                """#),
        .init(
            name: "content after the end", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"b"}]}}],"modelVersion":"g","responseId":"R1"}


                """#),
            expected: #"""
                text a
                finish stop STOP
                fault: malformed, went on after the end of its answer | R1
                """#),
        .init(
            name: "finishReason twice, usage last", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1"}

                data: {"candidates":[{"index":0,"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"IMAGE","tokenCount":2}]}}


                """#),
            expected: #"""
                text a
                finish stop STOP
                usage in=10 out=8 cached=4 reasoning=5 image-in=2
                over, complete | R1
                """#),
        .init(
            name: "an index that cannot be", dialect: .gemini,
            wire: .stream(
                #"""
                data: {"candidates":[{"index":99,"content":{"role":"model","parts":[{"text":"a"}]}}],"modelVersion":"g","responseId":"R1"}


                """#),
            expected: #"""
                fault: malformed, sent more candidates than asked for | R1
                """#),
        .init(
            name: "a whole answer", dialect: .gemini,
            wire: .whole(
                #"""
                {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"Hi"},{"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"s"}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"IMAGE","tokenCount":2}]}}
                """#),
            expected: #"""
                thinking hm
                text Hi
                signature s
                call 0 call_09490307b5d7dfcc_0_0 f
                arguments 0 {"x":1}
                finish toolCalls STOP
                usage in=10 out=8 cached=4 reasoning=5 image-in=2
                over, complete | R1
                """#),
        .init(
            name: "an array of chunks", dialect: .gemini,
            wire: .whole(
                #"""
                [{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"a"}]}}],"modelVersion":"g","responseId":"R1"},{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"b"}]},"finishReason":"STOP"}],"modelVersion":"g","responseId":"R1","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"IMAGE","tokenCount":2}]}}]
                """#),
            expected: #"""
                text a
                text b
                finish stop STOP
                usage in=10 out=8 cached=4 reasoning=5 image-in=2
                over, complete | R1
                """#),
        .init(
            name: "an error in an array with status 200", dialect: .gemini,
            wire: .whole(
                #"""
                [{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]
                """#),
            expected: #"""
                fault: provider 429 RESOURCE_EXHAUSTED: Quota
                """#),
        .init(
            name: "no candidates", dialect: .gemini,
            wire: .whole(
                #"""
                {"responseId":"R1"}
                """#),
            expected: #"""
                fault: malformed, answered 200 without a finished answer | R1
                """#),
    ]
}
