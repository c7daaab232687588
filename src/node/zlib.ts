/** Content codings by node:zlib. Synchronous, so that virtual time stands still meanwhile. */
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
} from 'node:zlib';
import type { ContentCodings } from '../application/http1/codings.ts';

export const zlibCodings: ContentCodings = {
  names: ['br', 'gzip', 'deflate'],
  decode(coding, bytes, limit) {
    const options = { maxOutputLength: Math.min(limit, 2 ** 31 - 1) };
    switch (coding) {
      case 'br':
        return brotliDecompressSync(bytes, options);
      case 'gzip':
        return gunzipSync(bytes, options);
      case 'deflate':
        // RFC 9110 §8.4.1.2: the zlib format; "some non-conformant implementations" leave its wrapper out.
        return (bytes[0] & 15) === 8 ? inflateSync(bytes, options) : inflateRawSync(bytes, options);
      default:
        throw new TypeError(`no content coding '${coding}'`);
    }
  },
  encode(coding, bytes) {
    switch (coding) {
      case 'br':
        return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
      case 'gzip':
        return gzipSync(bytes);
      case 'deflate':
        return deflateSync(bytes);
      default:
        throw new TypeError(`no content coding '${coding}'`);
    }
  },
};
