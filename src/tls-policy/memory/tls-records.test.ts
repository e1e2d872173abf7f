import { tlsRecordsContract } from '../tls-records.contract.ts';
import { MemoryTlsRecords } from './tls-records.ts';

tlsRecordsContract('memory', async () => ({ records: new MemoryTlsRecords(), close: async () => undefined }));
