// Reason phrases and the short text of replies.
import test from 'ava';
import { reasonPhrase, replyBody } from '../../../proxy/http/status.ts';

test('a status has its registered phrase, or none', (t) => {
  t.is(reasonPhrase(404), 'Not Found');
  t.is(reasonPhrase(103), 'Early Hints');
  t.is(reasonPhrase(499), '');
  t.is(reasonPhrase(999), '');
});

test('a reply says status and reason in one line', (t) => {
  t.is(replyBody(404, 'NoRouteFound'), '404 Not Found: NoRouteFound\n');
  t.is(replyBody(499, ''), '499\n');
});
