import RouterService

/// What OpenAI answers look like on the wire, and what they mean.
enum OpenAIGolden {
    static let answers: [GoldenAnswer] = [
        .init(
            name: "text with usage at the end", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"system_fingerprint":"fp_1","service_tier":"default"}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"lo ü🙂"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}

                data: [DONE]


                """#),
            expected: #"""
                text Hel
                text lo ü🙂
                finish stop stop
                usage in=9 out=3
                over, complete | c1 | 7 | fp_1 | default
                """#),
        .init(
            name: "CRLF, comments and Azure's first chunk without choices", dialect: .openai,
            wire: .stream(
                ": ping\r\n\r\ndata: {\"id\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\r\n\r\ndata: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\r\n\r\ndata: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n"
            ),
            expected: #"""
                text Hi
                finish stop stop
                over, complete | c1 | 7
                """#),
        .init(
            name: "usage in a chunk with choices, and before the end", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":12}}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":12}}

                data: [DONE]


                """#),
            expected: #"""
                text a
                text b
                finish stop stop
                usage in=9 out=5
                over, complete | c1 | 7
                """#),
        .init(
            name: "parallel calls with gaps in their indexes, one without arguments, ended by stop", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"x\":"}},{"index":3,"id":"b","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"1}"}}]},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

                data: [DONE]


                """#),
            expected: #"""
                call 0 a f
                arguments 0 {"x":
                call 1 b g
                arguments 0 1}
                arguments 1 {}
                finish toolCalls stop
                over, complete | c1 | 7
                """#),
        .init(
            name: "a call of another kind", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":4,"id":"a","type":"custom","custom":{"name":"f","input":"x"}}]},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

                data: [DONE]


                """#),
            expected: #"""
                delta {"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"x"}}]}
                finish toolCalls tool_calls
                over, complete | c1 | 7
                """#),
        .init(
            name: "reasoning, refusal, logprobs and members nobody models", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"refusal":"No."},"finish_reason":null}]}

                data: {"id":"c1","choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":-0.5}]}}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url":"u"}]},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":40,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":4,"accepted_prediction_tokens":3,"rejected_prediction_tokens":1}}}

                data: [DONE]


                """#),
            expected: #"""
                thinking hm
                refusal No.
                text x
                logprobs {"content":[{"token":"x","logprob":-0.5}]}
                delta {"annotations":[{"type":"url_citation","url":"u"}]}
                finish contentFilter content_filter
                usage in=100 out=50 cached=40 reasoning=20 audio-in=5 audio-out=4 accepted=3 rejected=1
                over, complete | c1 | 7
                """#),
        .init(
            name: "two choices interleaved", dialect: .openai, choices: 2,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":1,"delta":{},"finish_reason":"length"}]}

                data: [DONE]


                """#),
            expected: #"""
                text a
                [1] text b
                finish stop stop
                [1] finish length length
                over, complete | c1 | 7
                """#),
        .init(
            name: "finish_reason twice, with more usage after", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}


                """#),
            expected: #"""
                text a
                finish stop stop
                usage in=9 out=3
                over, complete | c1 | 7
                """#),
        .init(
            name: "[DONE] without finish_reason", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}

                data: [DONE]


                """#),
            expected: #"""
                text half
                over, incomplete | c1 | 7
                """#),
        .init(
            name: "an error in mid-stream", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}

                data: {"error":{"message":"The server had an error","type":"server_error","code":null}}


                """#),
            expected: #"""
                text half
                fault: provider 500 server_error: The server had an error | c1 | 7
                """#),
        .init(
            name: "an error whose code is a number", dialect: .openai,
            wire: .stream(
                #"""
                data: {"error":{"message":"Rate limited","code":429}}


                """#),
            expected: #"""
                fault: provider 429 : Rate limited
                """#),
        .init(
            name: "content after the end", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"more"},"finish_reason":null}]}


                """#),
            expected: #"""
                finish stop stop
                fault: malformed, went on after the end of its answer | c1 | 7
                """#),
        .init(
            name: "a choice nobody asked for", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null}]}


                """#),
            expected: #"""
                text a
                fault: malformed, sent more choices than asked for | c1 | 7
                """#),
        .init(
            name: "finish_reason error", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"error"}]}


                """#),
            expected: #"""
                text a
                fault: provider 500 error: the answer ended with finish_reason 'error'
                """#),
        .init(
            name: "data that is no UTF-8 or no JSON", dialect: .openai,
            wire: .stream(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}

                data: {"choices":[{


                """#),
            expected: #"""
                text a
                fault: malformed, sent something that is no JSON | c1 | 7
                """#),
        .init(
            name: "a whole answer with calls and usage", dialect: .openai,
            wire: .whole(
                #"""
                {"id":"c1","created":7,"service_tier":"flex","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"annotations":[],"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{\"y\":2}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":13,"completion_tokens_details":{"reasoning_tokens":10}}}
                """#),
            expected: #"""
                text Hi
                call 0 a f
                arguments 0 {}
                call 1 b g
                arguments 1 {"y":2}
                finish toolCalls tool_calls
                usage in=1 out=12 reasoning=10
                over, complete | c1 | 7 | flex
                """#),
        .init(
            name: "a stream under another content type", dialect: .openai,
            wire: .whole(
                #"""
                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}

                data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

                data: [DONE]


                """#),
            expected: #"""
                text Hi
                finish stop stop
                over, complete | c1 | 7
                """#),
        .init(
            name: "HTML", dialect: .openai,
            wire: .whole(
                #"""
                <html>502</html>
                """#),
            expected: #"""
                fault: malformed, sent something that is no JSON
                """#),
        .init(
            name: "an error object with status 200", dialect: .openai,
            wire: .whole(
                #"""
                {"error":{"message":"Unknown model","type":"invalid_request_error","code":"model_not_found"}}
                """#),
            expected: #"""
                fault: provider 404 model_not_found: Unknown model
                """#),
        .init(
            name: "no choices", dialect: .openai,
            wire: .whole(
                #"""
                {"id":"c1","choices":[]}
                """#),
            expected: #"""
                fault: malformed, answered 200 without an answer
                """#),
        .init(
            name: "no finish_reason", dialect: .openai,
            wire: .whole(
                #"""
                {"choices":[{"message":{"content":"x"}}]}
                """#),
            expected: #"""
                fault: malformed, sent an answer without finish_reason
                """#),
        .init(
            name: "content as a list of parts", dialect: .openai,
            wire: .whole(
                #"""
                {"id":"c1","choices":[{"index":0,"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hi"}]},"finish_reason":"stop"}]}
                """#),
            expected: #"""
                thinking hm
                text Hi
                finish stop stop
                over, complete | c1
                """#),
    ]
}
