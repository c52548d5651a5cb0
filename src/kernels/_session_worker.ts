/** A thread for {@linkcode SessionThread} that also has operators of our own. */
import { answerRequests } from "../runtime/answer_requests.ts";
import "./mod.ts";
import { nativeSessions } from "./native_sessions.ts";

answerRequests(nativeSessions());
