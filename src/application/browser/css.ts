/** The URLs in a style sheet: url(...) and @import (CSS Syntax Level 3, by its own tokenizer). */
import {
  type CSSToken,
  isTokenAtKeyword,
  isTokenFunction,
  isTokenString,
  isTokenURL,
  tokenize,
} from '@csstools/css-tokenizer';

export interface CssUrl {
  url: string;
  kind: 'style' | 'image' | 'font';
}

export function urlsInCss(css: string): CssUrl[] {
  const tokens = tokenize({ css }).filter(token => token[0] !== 'whitespace-token' && token[0] !== 'comment');
  const found: CssUrl[] = [];
  let rule = '';
  tokens.forEach((token, at) => {
    if (isTokenAtKeyword(token)) rule = token[4].value.toLowerCase();
    else if (token[0] === 'semicolon-token' || token[0] === '}-token')
      rule = rule === 'font-face' && token[0] !== '}-token' ? rule : '';
    const url = urlAt(tokens, at, rule);
    if (url !== undefined && url !== '' && !url.startsWith('#')) found.push({ url, kind: kindOf(rule) });
  });
  return found;
}

function urlAt(tokens: readonly CSSToken[], at: number, rule: string): string | undefined {
  const token = tokens[at];
  if (isTokenURL(token)) return token[4].value;
  const next = tokens[at + 1];
  if (isTokenFunction(token) && token[4].value.toLowerCase() === 'url') {
    return next !== undefined && isTokenString(next) ? next[4].value : undefined;
  }
  // @import "sheet.css";
  const before = tokens[at - 1];
  const imported = rule === 'import' && isTokenString(token) && before !== undefined && isTokenAtKeyword(before);
  return imported ? token[4].value : undefined;
}

const kindOf = (rule: string): CssUrl['kind'] =>
  rule === 'import' ? 'style' : rule === 'font-face' ? 'font' : 'image';
